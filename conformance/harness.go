package conformance

import (
	"maps"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// Harness tells the suite about one backend. New is all it must have; the zero
// value of every other field promises the most.
type Harness struct {
	// New opens a backend for one case, and is called for every case and mode.
	// The suite closes it; whatever else must end goes into t.Cleanup. A store
	// that cannot be reached is for t.Fatal: t.Skip is turned into a failure.
	New func(t *testing.T) cache.Backend

	// Name is the backend in the report and the name of its file. Default: from
	// the type, "simple" for *simple.Backend.
	Name string

	// Server and ServerVersion go into the report as they are.
	Server, ServerVersion string

	// Isolated says that each call of New gives an empty store that nobody else
	// uses, so that the suite may Clear it without a prefix and use keys as they
	// are. Without it, the suite stays under a random prefix. Bubble implies it.
	Isolated bool

	// Emptied opens a store that only the suite uses and may empty, such as that of
	// a second server, where New cannot give each case one of its own. The cases
	// that Clear without a prefix run there, one after the other: the store may hold
	// what the case before has left.
	Emptied func(t *testing.T) cache.Backend

	// Guarded opens a backend that lacks the permission to Clear without a prefix, on
	// a store that only the suite uses: should it be emptied all the same, nothing is lost.
	Guarded func(t *testing.T) cache.Backend

	// Unauthorized opens a backend that its server does not let in: it has a wrong password,
	// or a certificate of nobody.
	Unauthorized func(t *testing.T) cache.Backend

	// Full opens a store of its own that holds less than 32 MiB, and refuses what is
	// more in place of evicting.
	Full func(t *testing.T) cache.Backend

	// PartialOutage opens a backend over several servers, and returns what takes one of them away.
	PartialOutage func(t *testing.T) (b cache.Backend, lose func())

	// Bubble says that the store lives in the memory of the process, takes its
	// time from package time, and stops its goroutines in Close: cases in which
	// time passes then run in a testing/synctest bubble and cost none.
	Bubble bool

	// Advance moves the clock of the store that New gave, where that can be done
	// from outside. Ignored with Bubble. With neither, such cases wait in real
	// time, all at once, and are skipped by -short.
	Advance func(backend cache.Backend, d time.Duration)

	// Resolution is how long after its end of life an entry may still be read:
	// the grain of the store's clock plus what it rounds up. Default 1 ms.
	Resolution time.Duration

	// MaxKey is the longest key in bytes, prefix included; a longer one must be
	// cache.ErrInvalidKey. 0 means no limit up to 20 KiB.
	MaxKey int

	// MaxValue is the largest value in bytes; a larger one must be
	// cache.ErrTooLarge. 0 means no limit up to 16 MiB.
	MaxValue int

	// CounterMin is the lowest integer a counter holds; going below must be an
	// error. Nil means math.MinInt64.
	CounterMin *int64

	// DeleteReads says why a delete has to read the entry before, where it has to:
	// the store counts as deleted what has expired. It is a round trip more per key.
	DeleteReads string

	// LateLife says why the life of an entry begins late, where it does: the server
	// counts it from when it executes the write, by its own clock. What a write
	// takes on its way then comes on top.
	LateLife string

	// RefusedKeys are keys that the store has rules against beyond their length:
	// each must be cache.ErrInvalidKey from every operation.
	RefusedKeys []string

	// Secrets are passwords and the like that New gave to the backend. No error
	// and no printed form of the backend may hold one.
	Secrets []string

	// Reopen opens a second handle on the store behind first, which may be open
	// or closed. It is what [Persistence] means.
	Reopen func(t *testing.T, first cache.Backend) cache.Backend

	// Bounded opens an empty store that holds at most so many entries. It is
	// what [Threshold] means.
	Bounded func(t *testing.T, most int) cache.Backend

	// Faults lets the suite break the connection to the server. It is what
	// [Network] means.
	Faults *Faults

	// Unsupported declares what the backend cannot do, and why: the reason is
	// required and printed. What is declared and works all the same is a failure,
	// as is what is neither there nor declared.
	Unsupported map[Feature]string
}

// Faults describes a server that the suite reaches through a proxy of its own,
// which then loses, delays, cuts and forges bytes (package proxy).
type Faults struct {
	// Addr is the server's address, "host:port".
	Addr string

	// New opens a backend as Harness.New does, but against the server at addr,
	// which is the proxy. An error here is the backend's, not the harness's: the
	// server may be out of reach on purpose.
	New func(t *testing.T, addr string) (cache.Backend, error)

	// CancelBound is how long a call may go on after its context was cancelled
	// without ever having had a deadline. Default 50 ms.
	CancelBound time.Duration
}

// Feature is something that not every backend can do.
type Feature string

// The features. Those that an optional interface or a field of Harness stands
// for are found out from it.
const (
	// Storage: what was set is there afterwards. Only a null cache lacks it; it
	// declares nothing else, and has rules of its own (NUL).
	Storage Feature = "Storage"
	// Counter: the interface cache.Counter.
	Counter Feature = "Counter"
	// PrefixClear: the interface cache.PrefixClearer.
	PrefixClear Feature = "PrefixClear"
	// FullClear: Clear empties the store. Absent, too, where the harness is not
	// Isolated and has no Emptied.
	FullClear Feature = "FullClear"
	// TTL: the interface cache.TTLer.
	TTL Feature = "TTL"
	// Persistence: the store outlives the handle; Harness.Reopen. Absent, too,
	// where the harness has Bubble.
	Persistence Feature = "Persistence"
	// Threshold: the store can be bounded in entries; Harness.Bounded.
	Threshold Feature = "Threshold"
	// Network: the store is a server; Harness.Faults. Absent, too, where the
	// harness has Bubble.
	Network Feature = "Network"
)

var features = []Feature{Storage, Counter, PrefixClear, FullClear, TTL, Persistence, Threshold, Network}

// implied are the features whose absence needs no declaration, with the reason.
func (h Harness) implied() map[Feature]string {
	absent := map[Feature]string{}
	if h.Bubble {
		absent[Persistence] = "the store lives in the process (Harness.Bubble)"
		absent[Network] = "the store lives in the process (Harness.Bubble)"
	}
	if !h.Isolated {
		absent[FullClear] = "others may use the store (Harness.Isolated, Harness.Emptied)"
	}
	if reason, declared := h.Unsupported[Storage]; declared {
		absent[Persistence], absent[Threshold], absent[Network] = reason, reason, reason
	}
	maps.DeleteFunc(absent, func(f Feature, _ string) bool { return h.field(f) })
	for f := range absent {
		if reason := h.Unsupported[f]; reason != "" {
			absent[f] = reason // the author knows better why
		}
	}
	return absent
}

// field reports whether the field that stands for f is set.
func (h Harness) field(f Feature) bool {
	switch f {
	case Persistence:
		return h.Reopen != nil
	case Threshold:
		return h.Bounded != nil
	case Network:
		return h.Faults != nil
	case FullClear:
		return h.Emptied != nil
	}
	return false
}

func (h Harness) limits() Limits {
	limits := Limits{MaxKey: h.MaxKey, MaxValue: h.MaxValue, Resolution: h.Resolution, CounterMin: h.CounterMin}
	for _, key := range h.RefusedKeys {
		limits.RefusedKeys = append(limits.RefusedKeys, quote(key, 40))
	}
	return limits
}

func (h Harness) withDefaults() Harness {
	h.Isolated = h.Isolated || h.Bubble
	if h.Resolution == 0 {
		h.Resolution = time.Millisecond
	}
	return h
}
