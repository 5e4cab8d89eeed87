package wire

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
	"github.com/cachebackends/cachebackends/core/driver/remote/cachetls"
)

var (
	// ErrMalformed is the error of a reply that memcached does not send.
	ErrMalformed = errors.New("malformed reply")

	// errTimeout is the error of a server that takes longer than the timeouts allow.
	errTimeout = errors.New("timed out waiting for the server")

	errNeedsTLS  = errors.New("the server requires TLS: set CACHE_MEMCACHED_TLS_CA, or Options.TLS")
	errNeedsText = fmt.Errorf("%w: the server replied in the text protocol: set the option protocol to text", ErrMalformed)
	errHTTP      = fmt.Errorf("%w: the server replied in HTTP: check the address", ErrMalformed)
	errOldServer = fmt.Errorf("%w: ERROR: the server does not support the meta commands of memcached 1.6", ErrMalformed)
)

// Hints for errors that say only that the server was silent or closed the connection.
const (
	hintNoReply = "no reply on a new connection: a proxy may have no server, or the server may require TLS " +
		"(CACHE_MEMCACHED_TLS_CA) or another protocol"
	hintNoTLS   = "the server may not use TLS on this port"
	hintNoLogin = "the server may require TLS, or support no login, or only that of another protocol"
)

// Outcome turns the error of an exchange into one of package driver. What the server
// rejected is classified already.
func Outcome(ctx context.Context, err error, write bool) error {
	if err == nil {
		return nil
	}
	if cachetls.IsRejected(err) {
		err = fmt.Errorf("%w: %w", driver.ErrAuth, err)
	}
	return remote.Outcome(ctx, err, write)
}

// unexpected returns the error of a reply that begins in a way no reply of the protocol
// does. A server that requires TLS has executed nothing.
func unexpected(begin []byte) error {
	const alert, major = 0x15, 0x03 // of TLS
	switch {
	case len(begin) > 1 && begin[0] == alert && begin[1] == major:
		return remote.Unsent{Err: errNeedsTLS}
	case bytes.HasPrefix(begin, []byte("HTTP/")):
		return errHTTP
	}
	return ErrMalformed
}

// handshakeError names the step and the remedy, unless one side rejected a certificate.
func handshakeError(err error) error {
	if cachetls.IsRejected(err) {
		return err
	}
	return fmt.Errorf("TLS handshake: %w: %s", err, hintNoTLS)
}

// loginError names the step and the remedy, unless the server rejected the login.
func loginError(err error) error {
	if remote.IsBroken(err) || remote.IsTimeout(err) || errors.Is(err, errTimeout) {
		return fmt.Errorf("login: %w: %s", err, hintNoLogin)
	}
	return err
}

// knownError is the beginning of a reply of a server that has executed nothing.
type knownError struct {
	begin string
	kind  error
}

var (
	// rejections concern one item, and leave the connection in step.
	rejections = []knownError{
		{"SERVER_ERROR out of memory", driver.ErrFull},
		{"SERVER_ERROR Out of memory", driver.ErrFull},
		{"SERVER_ERROR object too large for cache", driver.ErrTooLarge},
		{"CLIENT_ERROR cannot increment or decrement non-numeric value", driver.ErrNotInteger},
	}
	fatals = []knownError{
		{"CLIENT_ERROR unauthenticated", driver.ErrAuth},
		{"CLIENT_ERROR authentication failure", driver.ErrAuth},
		{"ERROR Too many open connections", driver.ErrUnavailable},
	}
)

// find returns the error that line begins with, or nil. It quotes only the server's own
// words: the rest may be part of a value.
func find(known []knownError, line string) error {
	for _, k := range known {
		if strings.HasPrefix(line, k.begin) {
			return fmt.Errorf("%w: %s", k.kind, k.begin)
		}
	}
	return nil
}

// fatal returns the error of an unexpected line.
func fatal(line string) error {
	switch err := find(fatals, line); {
	case err != nil:
		return err
	case line == "ERROR":
		return errOldServer
	case strings.HasPrefix(line, "SERVER_ERROR"):
		return newServerError(line)
	case strings.HasPrefix(line, "CLIENT_ERROR"):
		return fmt.Errorf("%w: CLIENT_ERROR", ErrMalformed)
	}
	return unexpected([]byte(line))
}

// ReplyError returns the error of the line that replies to a single command.
func ReplyError(line string) error {
	return cmp.Or(find(rejections, line), singleCommand(fatal(line)))
}

// singleCommand marks err as [remote.Unsent] if it is the reply to a single command that no
// memcached has received.
func singleCommand(err error) error {
	if err == error(ServerError{" " + refused}) {
		return remote.Unsent{Err: err}
	}
	return err
}

// refused is the reason of a proxy that has sent nothing to its memcached. The other
// reasons that name a network may also end a connection on which the request was sent.
const refused = "connection refused"

// Reasons that proxies give for a SERVER_ERROR. Others are not quoted: they may be part of
// a value.
var serverReasons = []string{
	refused, "no route to host", "network is unreachable", "host is down", "connection timed out",
	"connection reset by peer", "broken pipe", "backend failure", "timeout", "unavailable", "no server",
}

// ServerError is the error of a reply SERVER_ERROR, which a proxy sends if it cannot reach
// a memcached. The stream of replies stays in step.
type ServerError struct{ reason string }

func (e ServerError) Error() string {
	return "SERVER_ERROR" + e.reason + ": the server failed, or a proxy cannot reach its memcached"
}

// newServerError returns the error of a line that begins with SERVER_ERROR.
func newServerError(line string) ServerError {
	line = strings.ToLower(line)
	for _, reason := range serverReasons {
		if strings.Contains(line, reason) {
			return ServerError{" " + reason}
		}
	}
	return ServerError{}
}

func isServerError(err error) bool {
	var e ServerError
	return errors.As(err, &e)
}
