package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/internal/errtree"
)

// Unsent marks an error that happened before a byte of the request was sent: the
// server cannot have executed it. Setting up a connection is not sending.
type Unsent struct{ Err error }

func (e Unsent) Error() string { return e.Err.Error() }

// Unwrap returns the error that Unsent marks.
func (e Unsent) Unwrap() error { return e.Err }

// IsUnsent reports whether err is marked as [Unsent].
func IsUnsent(err error) bool {
	var e Unsent
	return errors.As(err, &e)
}

// IsBroken reports whether err means that the connection broke during an exchange.
// The next connection may work. IsBroken is false for an error marked as [Unsent].
func IsBroken(err error) bool {
	return err != nil && !IsUnsent(err) && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE))
}

// IsTimeout reports whether err is a timeout: the server did not reply in time, or
// the deadline of the caller has passed.
func IsTimeout(err error) bool {
	return errtree.IsTimeout(err)
}

// Outcome turns the error of an exchange into one of the errors of package driver. If
// a write may have been executed, the error wraps [driver.ErrUnknownOutcome]. Any
// other error wraps [driver.ErrUnavailable] or is the error of a cancelled ctx. An
// error that already wraps a sentinel of package driver is returned unchanged, so a
// backend classifies the replies of its server first. If the deadline of ctx has
// passed, the error matches [context.DeadlineExceeded], whatever failed; if ctx was
// cancelled, it matches [context.Canceled].
func Outcome(ctx context.Context, err error, write bool) error {
	if err == nil || isClassified(err) {
		return err
	}
	if end := Ended(ctx); end != nil && !errors.Is(err, end) {
		err = fmt.Errorf("%w: %w", end, err)
	}
	switch {
	case write && !IsUnsent(err):
		return fmt.Errorf("%w: %w", driver.ErrUnknownOutcome, err)
	case errors.Is(err, context.Canceled):
		return err
	}
	return fmt.Errorf("%w: %w", driver.ErrUnavailable, err)
}

var classified = []error{
	driver.ErrClosed, driver.ErrInvalidKey, driver.ErrInvalidTimeout, driver.ErrTooLarge, driver.ErrNotInteger,
	driver.ErrCorrupt, driver.ErrFull, driver.ErrAuth, driver.ErrUnavailable, driver.ErrUnknownOutcome,
}

func isClassified(err error) bool {
	if driver.IsUnsupported(err) {
		return true
	}
	for _, kind := range classified {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// Ended returns the error of ctx, or nil. If the deadline has passed, it returns
// [context.DeadlineExceeded] even if ctx does not report it yet: a connection may
// time out a moment before ctx does.
func Ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

// Sleep waits for d. If ctx ends first, it returns the error of ctx.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
