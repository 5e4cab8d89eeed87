package uwsgi

import (
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/cachebackends/cachebackends/core/driver"
)

var (
	// errNoReply is how the server refuses a request.
	errNoReply = errors.New("the server closed the connection without a reply")

	errMalformed     = errors.New("malformed reply")
	errNotUwsgi      = fmt.Errorf("%w: the address must be that of a uwsgi socket (--socket), not of HTTP", errMalformed)
	errPoolExhausted = errors.New("timed out waiting for one of the PoolSize connections")

	errFull     = fmt.Errorf("%w: the server needs a larger items in --cache2", driver.ErrFull)
	errTooLarge = fmt.Errorf("%w: the server refused it; its blocksize is smaller than MaxValue", driver.ErrTooLarge)
	errNotSwept = fmt.Errorf("%w: the server does not remove the expired entry", driver.ErrUnavailable)
	errRaces    = fmt.Errorf("%w: gave up after losing every race with concurrent writers", driver.ErrUnavailable)

	errNotFirst = fmt.Errorf("%w: the server can clear only its first cache: for another one it reports success and clears "+
		"a part of it, or crashes; FirstCache (first_cache in CACHE_OPTIONS) states that this is the first", errors.ErrUnsupported)
	errNoFlush = fmt.Errorf("%w: Clear without a prefix removes the entries of all programs; AllowFlush (CACHE_ALLOW_FLUSH) permits it",
		errors.ErrUnsupported)
)

// isRefusal reports whether err may be the server's refusal of a large request: it
// resets the connection if it does not read the request to its end.
func isRefusal(err error) bool {
	return err == errNoReply || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
