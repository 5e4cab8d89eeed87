package cache

import "github.com/cachebackends/cachebackends/core/driver"

// The errors of every backend, to be matched with errors.Is. A miss is not an
// error: it is ok=false with a nil error. What a backend cannot do at all wraps
// errors.ErrUnsupported, and a missed deadline context.DeadlineExceeded.
var (
	// ErrClosed means the cache or its backend has been closed.
	ErrClosed = driver.ErrClosed
	// ErrInvalidKey means the key is empty or the store cannot hold such a key.
	ErrInvalidKey = driver.ErrInvalidKey
	// ErrInvalidTimeout means a timeout is negative or beyond what the store can hold.
	ErrInvalidTimeout = driver.ErrInvalidTimeout
	// ErrInvalidSettings means that settings or options are wrong. Nothing has been opened.
	ErrInvalidSettings = driver.ErrInvalidSettings
	// ErrTooLarge means the value is larger than the store accepts.
	ErrTooLarge = driver.ErrTooLarge
	// ErrNotInteger means Inc or Dec found a value that is not a 64-bit integer, or
	// would no longer be one. The value is unchanged.
	ErrNotInteger = driver.ErrNotInteger
	// ErrCorrupt means stored bytes cannot be decoded.
	ErrCorrupt = driver.ErrCorrupt
	// ErrFull means the store has no room. Reads and deletes still work.
	ErrFull = driver.ErrFull
	// ErrAuth means the store refused the credentials or the certificate. It is not
	// retried.
	ErrAuth = driver.ErrAuth
	// ErrUnavailable means that the store did not execute the call: it was not
	// reached, or it refused the call for now.
	ErrUnavailable = driver.ErrUnavailable
	// ErrUnknownOutcome means a write was sent and its reply lost: it may or may not
	// have happened. It is not retried if that could repeat its effect.
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
	Key     string // without the prefix; empty if no single key is concerned
	Err     error
}

// Error quotes the key and cuts a long one.
func (e *Error) Error() string {
	if e.Key == "" {
		return "cache: " + e.Backend + " " + e.Op + ": " + e.Err.Error()
	}
	return "cache: " + e.Backend + " " + e.Op + " " + driver.QuoteKey(e.Key) + ": " + e.Err.Error()
}

// Unwrap lets errors.Is and errors.As match the cause.
func (e *Error) Unwrap() error { return e.Err }
