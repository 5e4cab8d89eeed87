package driver

import (
	"context"
	"errors"
	"os"
	"reflect"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/cachebackends/cachebackends/core/driver/internal/errtree"
)

// The errors that backends wrap, the same on every backend; match them with
// errors.Is. A miss is not an error: it is ok=false with a nil error. If a backend
// does not support an operation, the error wraps errors.ErrUnsupported. After a
// missed deadline it wraps context.DeadlineExceeded.
var (
	// ErrClosed means the cache or its backend has been closed.
	ErrClosed = errors.New("cache is closed")
	// ErrInvalidKey means the key is empty or the store cannot hold such a key.
	ErrInvalidKey = errors.New("invalid key")
	// ErrInvalidTimeout means that a timeout is negative or longer than the store
	// supports.
	ErrInvalidTimeout = errors.New("invalid timeout")
	// ErrInvalidSettings means that settings or options are wrong. Nothing has been opened.
	ErrInvalidSettings = errors.New("invalid settings")
	// ErrTooLarge means the value is larger than the store accepts.
	ErrTooLarge = errors.New("value too large")
	// ErrNotInteger means that the value is not a 64-bit integer, or that the result
	// of Inc or Dec would overflow. The value is unchanged.
	ErrNotInteger = errors.New("not a 64-bit integer")
	// ErrCorrupt means stored bytes cannot be decoded.
	ErrCorrupt = errors.New("stored value cannot be decoded")
	// ErrFull means the store has no room. Reads and deletes still work.
	ErrFull = errors.New("store is full")
	// ErrAuth means that the store rejected the credentials or the certificate.
	// Backends do not retry it.
	ErrAuth = errors.New("access denied by the store")
	// ErrUnavailable means that the store did not execute the call: it could not be
	// reached, or it rejected the call temporarily.
	ErrUnavailable = errors.New("store is unavailable")
	// ErrUnknownOutcome means that a write was sent and its reply was lost: it may or
	// may not have been executed, or be executed later. Backends do not retry a write that
	// stores a value or a lease, unless a condition prevents its second execution. The
	// store could execute the first request after the second one and after a later Delete,
	// and the old value would come back.
	ErrUnknownOutcome = errors.New("outcome of the write is unknown")
)

// IsUnsupported reports whether err wraps [errors.ErrUnsupported]: the backend cannot
// do this at all. An error of a system call may match ErrUnsupported too, but does
// not wrap it: an operation that a socket does not support is a failure of the store.
func IsUnsupported(err error) bool {
	return errtree.Any(err, func(err error) bool { return err == errors.ErrUnsupported })
}

// IsCorrupt reports whether err means [ErrCorrupt] and nothing else, so that it can
// be served as a miss. It is false if err also holds a failure of the store, or the
// failure of another key for another reason. What ErrCorrupt is wrapped with in one
// format string is its cause, not another failure.
func IsCorrupt(err error) bool {
	if !errors.Is(err, ErrCorrupt) {
		return false
	}
	for _, failure := range failures {
		if errors.Is(err, failure) {
			return false
		}
	}
	return onlyCorrupt(err)
}

// failures concern the store or the call, never the bytes under one key.
var failures = []error{ErrClosed, ErrAuth, ErrUnavailable, ErrUnknownOutcome, context.Canceled, context.DeadlineExceeded, os.ErrDeadlineExceeded}

var joined = reflect.TypeOf(errors.Join(ErrCorrupt))

func onlyCorrupt(err error) bool {
	if isKind(err) {
		return true
	}
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		var batch *BatchError
		if reflect.TypeOf(err) != joined && !errors.As(err, &batch) {
			return slices.ContainsFunc(e.Unwrap(), onlyCorrupt) // one failure: its kind and its cause
		}
		return !slices.ContainsFunc(e.Unwrap(), func(err error) bool { return !onlyCorrupt(err) })
	case interface{ Unwrap() error }:
		return onlyCorrupt(e.Unwrap())
	}
	return false
}

// isKind reports whether err itself, without what it wraps, is ErrCorrupt.
func isKind(err error) bool {
	is, ok := err.(interface{ Is(error) bool })
	return err == ErrCorrupt || ok && is.Is(ErrCorrupt)
}

// QuoteKey returns key in the form for errors and logs: quoted, so that it cannot
// forge lines, and truncated to 64 bytes, so that it cannot fill a disk.
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
