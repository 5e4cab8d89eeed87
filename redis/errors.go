package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	goredis "github.com/redis/go-redis/v9"
)

// unreached is why there is no connection: no command has been sent.
type unreached struct{ error }

func (e unreached) Unwrap() error { return e.error }

// abandoned is the end of the context of a call whose command had been sent
// together with those of others, and may have been executed.
type abandoned struct{ error }

func (e abandoned) Unwrap() error { return e.error }

// errMalformed is a reply that is none, or that does not fit its command.
var errMalformed = errors.New("malformed reply")

// What is malformed about a reply.
var (
	errNoEnd       = errors.New("no line end")
	errLongLine    = errors.New("line too long")
	errLength      = errors.New("length out of range")
	errDepth       = errors.New("too many lists in lists")
	errMisplaced   = errors.New("misplaced value")
	errUnknownType = errors.New("unknown type")
)

// Replies by their first word. What is not here is a mistake of ours or of the
// server's, and returned as it is.
var replies = map[string]error{
	"OOM":         cache.ErrFull,
	"NOAUTH":      cache.ErrAuth,
	"WRONGPASS":   cache.ErrAuth,
	"NOPERM":      cache.ErrAuth,
	"WRONGTYPE":   cache.ErrCorrupt, // a list or the like, of another program
	"LOADING":     cache.ErrUnavailable,
	"MASTERDOWN":  cache.ErrUnavailable,
	"CLUSTERDOWN": cache.ErrUnavailable,
	"READONLY":    cache.ErrUnavailable,
	"TRYAGAIN":    cache.ErrUnavailable,
	"MOVED":       cache.ErrUnavailable, // the driver has followed some already
	"ASK":         cache.ErrUnavailable,
	"NOREPLICAS":  cache.ErrUnavailable,
	"MISCONF":     cache.ErrUnavailable,
	"BUSY":        cache.ErrUnavailable,
}

// Replies that all begin with ERR, by how they go on.
var replyTexts = []struct {
	begin string
	kind  error
}{
	{"ERR max number of clients", cache.ErrUnavailable},
	{"ERR value is not an integer", cache.ErrNotInteger},
	{"ERR increment or decrement would overflow", cache.ErrNotInteger},
	{"ERR invalid password", cache.ErrAuth},
	{"ERR AUTH", cache.ErrAuth},
	{"ERR Client sent AUTH", cache.ErrAuth},
}

// failure makes an error of this project's kinds out of one of the driver's. Of a
// write, the caller must learn whether it may have happened.
func (b *Backend) failure(ctx context.Context, err error, write bool) error {
	if err == nil || err == cache.ErrClosed {
		return err
	}
	var reply goredis.Error
	if !isUnreached(err) && errors.As(err, &reply) {
		return replyFailure(err, reply.Error())
	}
	if isProtocol(err) {
		err = withoutQuote(err)
	}
	if deadline, ok := ctx.Deadline(); ok && isTimeout(err) && !time.Now().Before(deadline) &&
		!errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	}
	switch {
	case isRefused(err):
		return fmt.Errorf("%w: %w", cache.ErrAuth, err)
	case write && !isUnsent(err):
		err = fmt.Errorf("%w: %w", cache.ErrUnknownOutcome, err)
	case b.closed.Load(), errors.Is(err, context.Canceled): // says enough
	default:
		return fmt.Errorf("%w: %w", cache.ErrUnavailable, err)
	}
	if b.closed.Load() {
		return fmt.Errorf("%w: %w", cache.ErrClosed, err)
	}
	return err
}

func replyFailure(err error, text string) error {
	// After these words the server repeats arguments, and one may be a value.
	if told, _, repeats := strings.Cut(text, ", with args beginning with"); repeats {
		return errors.New(told)
	}
	if kind := replyKind(text); kind != nil {
		return fmt.Errorf("%w: %w", kind, err)
	}
	return err
}

// replyKind returns what kind of error a reply is, nil where it is none of them.
func replyKind(text string) error {
	for _, reply := range replyTexts {
		if strings.HasPrefix(text, reply.begin) {
			return reply.kind
		}
	}
	word, _, _ := strings.Cut(text, " ")
	return replies[word]
}

func isUnreached(err error) bool {
	var e unreached
	return errors.As(err, &e)
}

// isUnsent reports whether the command never left: there was no connection for
// it, or its context ended before there was. An end during the exchange shows as
// abandoned or as a timeout of the socket.
func isUnsent(err error) bool {
	var sent abandoned
	switch {
	case isUnreached(err), errors.Is(err, goredis.ErrPoolTimeout), errors.Is(err, goredis.ErrPoolExhausted),
		errors.Is(err, goredis.ErrClosed):
		return true
	case errors.As(err, &sent), errors.Is(err, os.ErrDeadlineExceeded):
		return false
	}
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// isRefused reports whether one side would not talk to the other: certificates
// that do not fit, and sentinels that know no such password.
func isRefused(err error) bool {
	var ours *tls.CertificateVerificationError
	var theirs *net.OpError
	return errors.As(err, &ours) || errors.As(err, &theirs) && theirs.Op == "remote error" ||
		// The driver has taken the OpError off an alert that came after our side of the handshake.
		!isUnreached(err) && strings.HasPrefix(err.Error(), "tls: ") ||
		goredis.IsAuthError(err)
}

// isBroken reports whether a connection ended during the exchange, which says
// nothing of the next one.
func isBroken(err error) bool {
	return err != nil && !isUnreached(err) && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed))
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// isProtocol reports whether the driver could not make sense of an answer.
func isProtocol(err error) bool {
	var network net.Error
	return !errors.As(err, &network) && !isUnreached(err) && !isBroken(err) && !isUnsent(err)
}

// withoutQuote cuts what the driver quotes of an answer: it may be part of a value.
func withoutQuote(err error) error {
	var sent abandoned
	if told, _, quotes := strings.Cut(err.Error(), `"`); quotes && !errors.As(err, &sent) {
		return errors.New(strings.TrimRight(told, ": "))
	}
	return err
}
