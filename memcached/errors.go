package memcached

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	cache "github.com/cachebackends/cachebackends/core"
)

// refused is an answer that says that nothing has been done, and why, after which
// the connection is of no use.
type refused struct{ error }

func (e refused) Unwrap() error { return e.error }

// unsent is what went wrong before a byte of the request was written.
type unsent struct{ error }

func (e unsent) Unwrap() error { return e.error }

// failure makes an error of this project's kinds out of what became of an
// exchange. Of a write, the caller must learn whether it may have happened.
func failure(err error, write bool) error {
	if err == nil || err == cache.ErrClosed {
		return err
	}
	var nothingDone refused
	switch {
	case errors.As(err, &nothingDone):
		return nothingDone.error
	case isMistrust(err):
		return fmt.Errorf("%w: %w", cache.ErrAuth, err)
	case write && !isUnsent(err):
		return fmt.Errorf("%w: %w", cache.ErrUnknownOutcome, err)
	case errors.Is(err, context.Canceled): // says enough
		return err
	}
	return fmt.Errorf("%w: %w", cache.ErrUnavailable, err)
}

func isUnsent(err error) bool {
	var e unsent
	return errors.As(err, &e)
}

// isMistrust reports whether one side does not accept the other's certificate.
func isMistrust(err error) bool {
	var ours *tls.CertificateVerificationError
	var theirs *net.OpError
	return errors.As(err, &ours) || errors.As(err, &theirs) && theirs.Op == "remote error"
}

// isBroken reports whether a connection has ended, which says nothing of the next
// one.
func isBroken(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}
