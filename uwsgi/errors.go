package uwsgi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

var (
	// errNoReply is how the server refuses a request.
	errNoReply = errors.New("the server closed the connection without a reply")

	errMalformed     = errors.New("malformed reply")
	errPoolExhausted = errors.New("timed out waiting for one of the PoolSize connections")

	errFull     = fmt.Errorf("%w, or the cache no longer exists", cache.ErrFull)
	errTooLarge = fmt.Errorf("%w: the server refused it; its blocksize is smaller than MaxValue", cache.ErrTooLarge)
	errNotSwept = fmt.Errorf("%w: the server does not remove the expired entry", cache.ErrUnavailable)
)

// unsent marks an error that happened before the whole request was sent: the server
// did not execute it.
type unsent struct{ error }

func (e unsent) Unwrap() error { return e.error }

func isUnsent(err error) bool {
	var e unsent
	return errors.As(err, &e)
}

// failure turns the error of a round trip into one of the errors of package cache. A
// write that may have been executed is [cache.ErrUnknownOutcome].
func failure(ctx context.Context, err error, write bool) error {
	if err == nil || errors.Is(err, cache.ErrClosed) {
		return err
	}
	if end := ended(ctx); end != nil && !errors.Is(err, end) {
		err = fmt.Errorf("%w: %w", end, err)
	}
	switch {
	case write && !isUnsent(err):
		return fmt.Errorf("%w: %w", cache.ErrUnknownOutcome, err)
	case errors.Is(err, context.Canceled):
		return err
	}
	return fmt.Errorf("%w: %w", cache.ErrUnavailable, err)
}

// ended returns why ctx has ended, or nil. A socket may report the deadline of ctx a
// moment before ctx does.
func ended(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// isBroken reports whether a connection ended after the request was sent, which says
// nothing about the next connection.
func isBroken(err error) bool { return err != nil && !isUnsent(err) && isReset(err) }

func isReset(err error) bool {
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// isRefusal reports whether err may be the server's refusal of a large request: it
// resets the connection if it does not read the request to its end.
func isRefusal(err error) bool { return err == errNoReply || isReset(err) }

// isTimeout reports whether the server was silent for too long, or the deadline of
// the caller has passed.
func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
