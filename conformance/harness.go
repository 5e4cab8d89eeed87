package conformance

import (
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Harness describes one backend to the suite. Only New is required; the zero
// value of every other field makes the strictest promise. Fields that contradict
// each other end the test at once.
type Harness struct {
	// New opens a backend. It is called for every case and mode, and the suite
	// closes what it returns; release everything else in t.Cleanup. Call t.Fatal if
	// the store cannot be reached: t.Skip is reported as a failure.
	New func(t *testing.T) driver.Backend

	// Name is the backend in the report and in the report's file name. The default
	// comes from the type: "simple" for *simple.Backend.
	Name string

	// NoReport prevents that Run writes a report, for a wrapper in a test that is not a
	// backend of its own.
	NoReport bool

	// Server and ServerVersion are copied to the report.
	Server, ServerVersion string

	// Isolated says that each call of New returns an empty store that nobody else
	// uses. The suite may then call Clear without a prefix. Otherwise every key has a
	// random prefix and is removed. Bubble implies Isolated.
	Isolated bool

	// Bubble says that the store is in the memory of this process, takes the time
	// from package time, and ends its goroutines in Close. Cases that wait for an
	// expiry then run in a testing/synctest bubble, where waiting takes no time.
	Bubble bool

	// Advance moves the clock of the store that New opened by d. It is for harnesses
	// without Bubble. With neither, such cases wait in real time, all of them at once,
	// and -short skips them.
	Advance func(backend driver.Backend, d time.Duration)

	// Slow says that calls take milliseconds or cost money, or that another test runs all
	// of the suite over a store that differs only in how it is reached. Every rule then
	// still runs, but in the modes plain and bare instead of all four, and what is random,
	// concurrent or large is repeated a fifth as often, as with -short. With both, the mode
	// is plain, and repeated is a tenth. The report says so.
	Slow bool

	// Limits are the documented limits of the store.
	Limits Limits

	// Stores opens the further stores that some rules need.
	Stores Stores

	// Faults lets the suite break the connection to the server. It stands for the
	// feature [Network].
	Faults *Faults

	// Secrets are the credentials that New gave to the backend. Neither an error nor
	// a printed form of the backend may contain one.
	Secrets []string

	// Traits declares the documented ways in which the store differs from a rule, each
	// with the reason. A declared trait that the store does not have is a failure. A
	// rule that fails because of a trait that is not declared names the trait.
	Traits map[Trait]string

	// Waived declares rules, by ID, that the backend breaks, each with the reason. The
	// report shows them as [Waived]. A waived rule that passes is a failure.
	Waived map[string]string

	// Unsupported declares the features that the backend does not support, each with
	// the reason, which the report shows. A declared feature that works is a failure,
	// and so is a missing feature that is not declared, except GetWithTTL, Watch, Stats and Scan.
	Unsupported map[Feature]string
}

// Limits are the documented limits of a store.
type Limits struct {
	// MaxKey is the length of the longest key in bytes, including the prefix. A longer
	// key must return [driver.ErrInvalidKey]. 0 means no limit, tested up to 20 KiB.
	MaxKey int `json:"max_key,omitempty"`

	// MaxValue is the size of the largest value in bytes. A larger value must return
	// driver.ErrTooLarge. 0 means no limit, tested up to 16 MiB.
	MaxValue int `json:"max_value,omitempty"`

	// MaxEntry is the size of the largest entry in bytes: key, including the prefix,
	// plus value. A larger entry must return driver.ErrTooLarge. It replaces MaxValue. 0
	// means no such limit.
	MaxEntry int `json:"max_entry,omitempty"`

	// KeyAlphabet is the set of bytes that a key may consist of, such as
	// "abcdefghijklmnopqrstuvwxyz0123456789-_". A key with another byte must return
	// [driver.ErrInvalidKey]. The suite then builds its own keys and prefixes from these
	// bytes. It needs the lower-case letters and the digits. Empty means any byte.
	KeyAlphabet string `json:"key_alphabet,omitempty"`

	// Resolution is the maximum staleness after expiry: how long an entry may still be
	// read after its TTL, because of a coarse clock or rounding. Default 1 ms.
	Resolution time.Duration `json:"resolution_ns"`

	// Staleness is the maximum time for which a handle may still read an entry that
	// another handle has replaced or deleted. 0 means that it never does. A handle reads
	// its own writes at once.
	Staleness time.Duration `json:"staleness_ns,omitempty"`

	// CounterMin is the lowest value of a counter. Inc below it must return an error.
	// Nil means math.MinInt64.
	CounterMin *int64 `json:"counter_min,omitempty"`

	// RefusedKeys are keys that the store rejects for another reason than their length.
	// Every operation must return [driver.ErrInvalidKey] for each of them. In a
	// [Report] they are quoted, and long ones are truncated.
	RefusedKeys []string `json:"refused_keys,omitempty"`
}

// Stores opens stores that only some rules need. All fields are optional; without
// a field, its rules are reported as unsupported. The suite closes every backend.
type Stores struct {
	// Reopen opens a second handle to the store behind first, which may be open or
	// closed. It stands for the feature [Persistence]. With the trait [OneHandle] it
	// returns nil while first is open.
	Reopen func(t *testing.T, first driver.Backend) driver.Backend

	// Bounded opens an empty store that holds at most the given number of entries. It
	// stands for the feature [Threshold].
	Bounded func(t *testing.T, entries int) driver.Backend

	// ClearAllowed opens a store that only the suite uses and may clear, such as one on
	// a second server. It is for harnesses that are not Isolated. The cases that call
	// Clear without a prefix use it one after the other, so it need not be empty.
	ClearAllowed func(t *testing.T) driver.Backend

	// ClearForbidden opens a backend without the permission to call Clear without a
	// prefix. Only the suite may use its store, because a defect would clear it.
	ClearForbidden func(t *testing.T) driver.Backend

	// Unauthorized opens a backend that its server rejects: wrong password or
	// untrusted certificate.
	Unauthorized func(t *testing.T) driver.Backend

	// Full opens a store of its own that holds less than 32 MiB and rejects further
	// entries instead of evicting old ones.
	Full func(t *testing.T) driver.Backend

	// Damage makes the entry of key unreadable in the store of b, which New has opened. key
	// is as b received it, with the prefix.
	Damage func(t *testing.T, b driver.Backend, key string)

	// PartialOutage opens a backend over several servers, and returns a function that
	// stops one of the servers.
	PartialOutage func(t *testing.T) (b driver.Backend, stopServer func())
}

// Faults describes a server that the suite reaches through a proxy (package
// proxy), which delays, drops, cuts and forges bytes.
type Faults struct {
	// Addr is the server's address, "host:port".
	Addr string

	// New opens a backend like [Harness.New], but for the server at addr, which is the
	// address of the proxy. Return the error of the backend's constructor: the suite
	// also calls New while the server cannot be reached.
	New func(t *testing.T, addr string) (driver.Backend, error)

	// CancelBound is the longest time for which a call may go on after the
	// cancellation of a context that has no deadline. Default 50 ms.
	CancelBound time.Duration

	// Recovery is the longest time after the end of an outage for which calls may
	// still return ErrUnavailable, as those of a circuit breaker do. By default only
	// the first call may fail.
	Recovery time.Duration
}

func (h Harness) declares(trait Trait) bool {
	_, declared := h.Traits[trait]
	return declared
}

func (h Harness) withDefaults() Harness {
	h.Isolated = h.Isolated || h.Bubble
	if h.Limits.Resolution == 0 {
		h.Limits.Resolution = time.Millisecond
	}
	return h
}

// maxValue returns the size of the largest value under any key of the suite, 0 if
// there is no limit.
func (l Limits) maxValue() int {
	if l.MaxEntry != 0 {
		return max(l.MaxEntry-512, l.MaxEntry/2)
	}
	return l.MaxValue
}

// printable returns the limits with keys that are fit for a report.
func (l Limits) printable() Limits {
	var quoted []string
	for _, key := range l.RefusedKeys {
		quoted = append(quoted, quote(key, 40))
	}
	l.RefusedKeys = quoted
	return l
}
