package cache

import "github.com/cachebackends/cachebackends/core/driver"

// The errors of every backend, to be matched with errors.Is. A miss is not an error:
// it is ok=false with a nil error. If a backend does not support an operation, the
// error wraps errors.ErrUnsupported. After a missed deadline it wraps
// context.DeadlineExceeded.
var (
	// ErrClosed means the cache or its backend has been closed.
	ErrClosed = driver.ErrClosed
	// ErrInvalidKey means the key is empty or the store cannot hold such a key.
	ErrInvalidKey = driver.ErrInvalidKey
	// ErrInvalidTimeout means that a timeout is negative or longer than the store
	// supports.
	ErrInvalidTimeout = driver.ErrInvalidTimeout
	// ErrInvalidSettings means that settings or options are wrong. Nothing has been opened.
	ErrInvalidSettings = driver.ErrInvalidSettings
	// ErrTooLarge means the value is larger than the store accepts.
	ErrTooLarge = driver.ErrTooLarge
	// ErrNotInteger means that the value is not a 64-bit integer, or that the result
	// of Inc or Dec would overflow. The value is unchanged.
	ErrNotInteger = driver.ErrNotInteger
	// ErrCorrupt means stored bytes cannot be decoded.
	ErrCorrupt = driver.ErrCorrupt
	// ErrFull means the store has no room. Reads and deletes still work.
	ErrFull = driver.ErrFull
	// ErrAuth means that the store rejected the credentials or the certificate. It is
	// not retried.
	ErrAuth = driver.ErrAuth
	// ErrUnavailable means that the store did not execute the call: it could not be
	// reached, or it rejected the call temporarily.
	ErrUnavailable = driver.ErrUnavailable
	// ErrUnknownOutcome means that a write was sent and its reply was lost: it may or
	// may not have been executed. It is not retried if that could repeat its effect.
	ErrUnknownOutcome = driver.ErrUnknownOutcome
)

// KeyError is the failure of one key of a batch.
type KeyError = driver.KeyError

// BatchError names the keys of a batch that failed, and only those; the others
// succeeded. Find it with errors.As.
type BatchError = driver.BatchError

// Error is what a failed operation returns. It never holds a value or a secret.
type Error struct {
	Op      string // "get", "set_many", ...
	Backend string // "redis", "simple", ...
	Key     string // without the prefix; empty if the operation is not on one key
	Err     error
}

// Error returns the text with the key quoted and, if it is long, truncated.
func (e *Error) Error() string {
	if e.Key == "" {
		return "cache: " + e.Backend + " " + e.Op + ": " + e.Err.Error()
	}
	return "cache: " + e.Backend + " " + e.Op + " " + driver.QuoteKey(e.Key) + ": " + e.Err.Error()
}

// Unwrap lets errors.Is and errors.As match the cause.
func (e *Error) Unwrap() error { return e.Err }
