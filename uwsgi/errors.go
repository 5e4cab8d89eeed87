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

// notSent is why the server cannot have carried out the request.
type notSent struct{ error }

func (e notSent) Unwrap() error { return e.error }

// failure makes an error of this project's kinds out of one of an exchange. Of a
// write, the caller must learn whether it may have happened.
func failure(ctx context.Context, err error, write bool) error {
	if err == nil || errors.Is(err, cache.ErrClosed) {
		return err
	}
	var unsent notSent
	sent := !errors.As(err, &unsent)
	if end := ended(ctx); end != nil && !errors.Is(err, end) {
		err = fmt.Errorf("%w: %w", end, err)
	}
	switch {
	case write && sent:
		return fmt.Errorf("%w: %w", cache.ErrUnknownOutcome, err)
	case errors.Is(err, context.Canceled): // says enough
		return err
	}
	return fmt.Errorf("%w: %w", cache.ErrUnavailable, err)
}

// ended is why the context has ended. A deadline may strike a connection a moment
// before the context.
func ended(ctx context.Context) error {
	if deadline, limited := ctx.Deadline(); limited && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// isBroken reports whether a connection ended after the request had gone out, which
// says nothing of the next one.
func isBroken(err error) bool {
	var unsent notSent
	return err != nil && !errors.As(err, &unsent) && isReset(err)
}

func isReset(err error) bool {
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// isRefusal reports whether err may be the server's way to refuse a large request:
// where it does not read to the end, it resets the connection.
func isRefusal(err error) bool { return err == errRefused || isReset(err) }

// isTimeout reports whether a server was silent, or the caller's time is over.
func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
