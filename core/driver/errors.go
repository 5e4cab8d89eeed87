package driver

import (
	"errors"
	"strconv"
	"unicode/utf8"
)

// The errors that backends wrap, the same on every backend; match them with
// errors.Is. A miss is not an error: it is ok=false with a nil error. What a
// backend cannot do at all wraps errors.ErrUnsupported, and a missed deadline
// context.DeadlineExceeded.
var (
	// ErrClosed means the cache or its backend has been closed.
	ErrClosed = errors.New("cache is closed")
	// ErrInvalidKey means the key is empty or the store cannot hold such a key.
	ErrInvalidKey = errors.New("invalid key")
	// ErrInvalidTimeout means a timeout is negative or beyond what the store can hold.
	ErrInvalidTimeout = errors.New("invalid timeout")
	// ErrInvalidSettings means that settings or options are wrong. Nothing has been opened.
	ErrInvalidSettings = errors.New("invalid settings")
	// ErrTooLarge means the value is larger than the store accepts.
	ErrTooLarge = errors.New("value too large")
	// ErrNotInteger means Inc or Dec found a value that is not a 64-bit integer, or
	// would no longer be one. The value is unchanged.
	ErrNotInteger = errors.New("not a 64-bit integer")
	// ErrCorrupt means stored bytes cannot be decoded.
	ErrCorrupt = errors.New("stored value cannot be decoded")
	// ErrFull means the store has no room. Reads and deletes still work.
	ErrFull = errors.New("store is full")
	// ErrAuth means the store refused the credentials or the certificate. Backends
	// do not retry it.
	ErrAuth = errors.New("access denied by the store")
	// ErrUnavailable means that the store did not execute the call: it was not
	// reached, or it refused the call for now.
	ErrUnavailable = errors.New("store is unavailable")
	// ErrUnknownOutcome means a write was sent and its reply lost: it may or may
	// not have happened. Backends do not retry it if that could repeat its effect.
	ErrUnknownOutcome = errors.New("outcome of the write is unknown")
)

// QuoteKey returns key as it may stand in a line of a log: quoted, so that it
// cannot forge lines, and cut after 64 bytes, so that it cannot fill a disk.
func QuoteKey(key string) string {
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
