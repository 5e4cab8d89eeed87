package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
	"github.com/cachebackends/cachebackends/core/driver/remote/cachetls"
	goredis "github.com/redis/go-redis/v9"
)

// errMalformed is the error of bytes that are no reply, or of a reply that does not fit
// its command.
var errMalformed = errors.New("malformed reply")

// errTLSRequired is the error of a server that answers with an alert of TLS.
var errTLSRequired = errors.New("the server requires TLS: use rediss:// or the settings CACHE_REDIS_TLS_* (Options.TLS)")

// refusedError is the error of a server that replied with an error to the first command on
// a connection and then closed it.
type refusedError string

func (e refusedError) Error() string { return string(e) }

// setUpError adds text to the error of a connection that is set up.
type setUpError struct {
	text  string
	cause error
}

func (e setUpError) Error() string { return e.text + ": " + e.cause.Error() }

// Unwrap returns a list, because the driver takes the cause of an error of the set-up if
// there is exactly one.
func (e setUpError) Unwrap() []error { return []error{e.cause} }

// Reasons why a reply is malformed.
var (
	errNoEnd       = errors.New("no line end")
	errLongLine    = errors.New("line too long")
	errLength      = errors.New("length out of range")
	errDepth       = errors.New("too many lists in lists")
	errMisplaced   = errors.New("misplaced value")
	errUnknownType = errors.New("unknown type")
)

// replies classifies error replies by their first word. Other replies are mistakes of
// this package or of the server and are returned unchanged.
var replies = map[string]error{
	"OOM":         driver.ErrFull,
	"NOAUTH":      driver.ErrAuth,
	"WRONGPASS":   driver.ErrAuth,
	"NOPERM":      driver.ErrAuth,
	"WRONGTYPE":   driver.ErrCorrupt, // a list or another type, of another program
	"DENIED":      driver.ErrAuth,    // protected mode
	"LOADING":     driver.ErrUnavailable,
	"MASTERDOWN":  driver.ErrUnavailable,
	"CLUSTERDOWN": driver.ErrUnavailable,
	"READONLY":    driver.ErrUnavailable,
	"TRYAGAIN":    driver.ErrUnavailable,
	"MOVED":       driver.ErrUnavailable, // the driver has followed some already
	"ASK":         driver.ErrUnavailable,
	"CROSSSLOT":   driver.ErrUnavailable, // from a node of a cluster that is used as one server
	"NOREPLICAS":  driver.ErrUnavailable,
	"MISCONF":     driver.ErrUnavailable,
	"BUSY":        driver.ErrUnavailable,
}

// replyTexts classifies error replies that all begin with ERR.
var replyTexts = []struct {
	begin string
	kind  error
}{
	{"ERR max number of clients", driver.ErrUnavailable},
	{"ERR value is not an integer", driver.ErrNotInteger},
	{overflow, driver.ErrNotInteger},
	{"ERR invalid password", driver.ErrAuth},
	{"ERR AUTH", driver.ErrAuth},
	{"ERR Client sent AUTH", driver.ErrAuth},

	// Of Envoy and twemproxy, from the connection between them and the server.
	{"no upstream host", driver.ErrUnavailable},
	{"ERR Connection refused", driver.ErrUnavailable},
	{"ERR Host is down", driver.ErrUnavailable},
	{"ERR No route to host", driver.ErrUnavailable},
	{"upstream failure", driver.ErrUnknownOutcome},
	{"upstream protocol error", driver.ErrUnknownOutcome},
	{"ERR Connection reset by peer", driver.ErrUnknownOutcome},
	{"ERR Connection timed out", driver.ErrUnknownOutcome},
	{"ERR Broken pipe", driver.ErrUnknownOutcome},
}

// remedies say what to do about some error replies.
var remedies = []struct{ begin, remedy string }{
	{"DENIED", "the server is in protected mode: it accepts connections from other hosts only if it has a password, or its setting protected-mode is no"},
	{"NOAUTH", "the server requires a password: set Password (CACHE_REDIS_PASSWORD)"},
	{"OOM", "raise maxmemory of the server, or set its maxmemory-policy to allkeys-lru"},
	{"ERR DB index", "the server has no such database: correct DB (CACHE_REDIS_DB)"},
	{"ERR max number of clients", "raise maxclients of the server, or lower PoolSize (pool_size)"},
	{"no upstream host", "the proxy reaches no server"},
	{"upstream ", "the proxy lost its connection to the server"},
	{"ERR Connection ", "the proxy has no connection to the server"},
}

const nodeAsServer = "the server is a node of a cluster: use CACHE_REDIS_CLUSTER (Options.Cluster)"

// remedy returns what to do about an error reply, or "".
func (b *Backend) remedy(text string) string {
	for _, r := range remedies {
		if strings.HasPrefix(text, r.begin) {
			return r.remedy
		}
	}
	if b.publishes && refusesPublication(text) {
		return "with PublishChanges (publish_changes), a write requires EVAL, PUBLISH and the channels \"cachebackends:*\""
	}
	word, _, _ := strings.Cut(text, " ")
	if b.cluster == nil && (word == "MOVED" || word == "ASK" || word == "CROSSSLOT") {
		return nodeAsServer
	}
	return ""
}

const overflow = "ERR increment or decrement would overflow"

// failure turns an error of go-redis into one of package driver. write says whether the
// command may have changed something.
func (b *Backend) failure(ctx context.Context, err error, write bool) error {
	if err == nil || err == driver.ErrClosed {
		return err
	}
	switch {
	case err == goredis.Nil:
		err = errNull
	case errors.Is(err, goredis.Nil): // joined to the errors of other sentinels
		err = remote.Unsent{Err: errNoPrimary}
	}
	var reply goredis.Error
	if !remote.IsUnsent(err) && errors.As(err, &reply) {
		return b.replyFailure(err, reply.Error(), write)
	}
	var refused refusedError
	if errors.As(err, &refused) {
		return b.replyFailure(remote.Unsent{Err: refused}, string(refused), write)
	}
	if isMalformed(err) {
		err = withoutQuote(err)
	}
	if isRejected(err) {
		return fmt.Errorf("%w: %w", driver.ErrAuth, err)
	}
	if isUnsent(err) && !remote.IsUnsent(err) {
		err = remote.Unsent{Err: err}
	}
	if !b.closed.Load() {
		return remote.Outcome(ctx, err, write)
	}
	if write && !remote.IsUnsent(err) {
		err = remote.Outcome(ctx, err, write)
	}
	return fmt.Errorf("%w: %w", driver.ErrClosed, err)
}

// errNull is the error of a null where a reply must not be null: the reply to another
// command than GET, or one that the driver sent before the command.
var errNull = fmt.Errorf("%w: null", errMalformed)

// errNoPrimary is the error of a name that the sentinels do not know.
var errNoPrimary = errors.New("the sentinels that were reached do not know the primary: " +
	"SentinelMaster (CACHE_REDIS_SENTINEL_MASTER) must be its name in their configuration")

func (b *Backend) replyFailure(err error, text string, write bool) error {
	// After these words the server repeats arguments, of which one may be a value.
	if begin, _, repeats := strings.Cut(text, ", with args beginning with"); repeats {
		return errors.New(begin)
	}
	if remedy := b.remedy(text); remedy != "" {
		err = fmt.Errorf("%s: %w", remedy, err)
	}
	kind := replyKind(text)
	switch {
	case kind == driver.ErrUnknownOutcome && !write:
		kind = driver.ErrUnavailable
	case kind == nil && remote.IsUnsent(err):
		kind = driver.ErrUnavailable
	case kind == nil && b.publishes && strings.HasPrefix(text, scriptDenied):
		kind = driver.ErrAuth
	case kind == nil:
		return err
	}
	return fmt.Errorf("%w: %w", kind, err)
}

// replyKind returns the class of an error reply, nil if it has none.
func replyKind(text string) error {
	for _, reply := range replyTexts {
		if strings.HasPrefix(text, reply.begin) {
			return reply.kind
		}
	}
	word, _, _ := strings.Cut(text, " ")
	return replies[word]
}

// isUnsent reports whether the command was not sent: there was no connection for it, or
// its context ended before there was one. If the context ends during the exchange, the
// error is remote.Abandoned, interrupted or, with a client of the application, a timeout.
func isUnsent(err error) bool {
	switch {
	case remote.IsUnsent(err), errors.Is(err, goredis.ErrPoolTimeout), errors.Is(err, goredis.ErrPoolExhausted),
		errors.Is(err, goredis.ErrClosed):
		return true
	case remote.IsAbandoned(err), isInterrupted(err), errors.Is(err, os.ErrDeadlineExceeded):
		return false
	}
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// isRejected reports whether one side rejected the other: the certificates do not fit,
// or sentinels do not accept the password.
func isRejected(err error) bool {
	return cachetls.IsRejected(err) ||
		// The driver has removed the OpError from an alert that came after our side of the handshake.
		!remote.IsUnsent(err) && strings.HasPrefix(err.Error(), "tls: ") ||
		goredis.IsAuthError(err)
}

// isMalformed reports whether the driver could not parse a reply.
func isMalformed(err error) bool {
	var network net.Error
	return !errors.As(err, &network) && !remote.IsBroken(err) && !isUnsent(err) && !remote.IsAbandoned(err) && !isInterrupted(err)
}

// withoutQuote cuts off what the driver quotes of a reply: it may be part of a value.
func withoutQuote(err error) error {
	if begin, _, quotes := strings.Cut(err.Error(), `"`); quotes {
		return errors.New(strings.TrimRight(begin, ": "))
	}
	return err
}
