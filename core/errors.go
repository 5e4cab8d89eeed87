package cache

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// What can go wrong, to be told apart with errors.Is on every backend. A miss is
// not among them: it is ok=false with a nil error. What a backend cannot do at
// all wraps errors.ErrUnsupported, and a deadline context.DeadlineExceeded.
var (
	// ErrClosed means the cache or its backend has been closed.
	ErrClosed = errors.New("cache is closed")
	// ErrInvalidKey means the key is empty or the store cannot hold such a key.
	ErrInvalidKey = errors.New("invalid key")
	// ErrInvalidTimeout means a timeout is negative or beyond what the store can hold.
	ErrInvalidTimeout = errors.New("invalid timeout")
	// ErrInvalidSettings means that Open found the settings wrong and opened nothing.
	ErrInvalidSettings = errors.New("invalid settings")
	// ErrTooLarge means the value is larger than the store accepts.
	ErrTooLarge = errors.New("value too large")
	// ErrNotInteger means Inc or Dec met a value that is not a 64-bit integer, or
	// would no longer be one. The value is unchanged.
	ErrNotInteger = errors.New("not a 64-bit integer")
	// ErrCorrupt means stored bytes cannot be decoded.
	ErrCorrupt = errors.New("stored value cannot be decoded")
	// ErrFull means the store has no room. Reads and deletes still work.
	ErrFull = errors.New("store is full")
	// ErrAuth means the store refused our credentials or certificate. It is not retried.
	ErrAuth = errors.New("access denied by the store")
	// ErrUnavailable means that nothing reached the store.
	ErrUnavailable = errors.New("store is unavailable")
	// ErrUnknownOutcome means a write was sent and its answer lost: it may or may
	// not have happened. It is never retried where that could repeat its effect.
	ErrUnknownOutcome = errors.New("outcome of the write is unknown")
)

// Error is what a failed operation returns, made once by Cache.
// It never holds a value or a secret.
type Error struct {
	Op      string // "get", "set_many", ...
	Backend string // "redis", "simple", ...
	Key     string // without the prefix; empty where no single key is concerned
	Err     error
}

func (e *Error) Error() string {
	if e.Key == "" {
		return "cache: " + e.Backend + " " + e.Op + ": " + e.Err.Error()
	}
	return "cache: " + e.Backend + " " + e.Op + " " + quoteKey(e.Key) + ": " + e.Err.Error()
}

// Unwrap makes errors.Is and errors.As see the cause.
func (e *Error) Unwrap() error { return e.Err }

// KeyError is the failure of one key of a batch.
type KeyError struct {
	Key string
	Err error
}

// BatchError names the keys of a batch that failed, and only those; the others
// succeeded. Backends return it with full keys, Cache takes the prefix off.
type BatchError struct {
	Failed []KeyError
}

// Fail adds a key and why it failed.
func (e *BatchError) Fail(key string, err error) {
	e.Failed = append(e.Failed, KeyError{key, err})
}

// ErrorOrNil returns nil where no key failed, so that a method can end with it.
func (e *BatchError) ErrorOrNil() error {
	if len(e.Failed) == 0 {
		return nil
	}
	return e
}

// Error names the first three keys.
func (e *BatchError) Error() string {
	const shown = 3
	var b strings.Builder
	fmt.Fprintf(&b, "%d failed", len(e.Failed))
	for i, f := range e.Failed {
		if i == shown {
			b.WriteString("; ...")
			break
		}
		fmt.Fprintf(&b, "; %s: %v", quoteKey(f.Key), f.Err)
	}
	return b.String()
}

// Unwrap makes errors.Is true for whatever any of the keys met.
func (e *BatchError) Unwrap() []error {
	errs := make([]error, len(e.Failed))
	for i, f := range e.Failed {
		errs[i] = f.Err
	}
	return errs
}

// quoteKey makes a key fit for a line of log: quoted, so that it cannot forge
// lines, and cut, so that it cannot fill the disk.
func quoteKey(key string) string {
	const limit = 64
	if len(key) <= limit {
		return strconv.Quote(key)
	}
	end := limit
	for end > limit-utf8.UTFMax && !utf8.RuneStart(key[end]) {
		end--
	}
	return strconv.Quote(key[:end]) + "... (" + strconv.Itoa(len(key)) + " bytes)"
}
