package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver/remote"
	goredis "github.com/redis/go-redis/v9"
)

// reply returns the error that the driver makes of an error reply.
func reply(t *testing.T, text string) error {
	t.Helper()
	f := startFake(t, on("get", always("-"+text+"\r\n")))
	client := goredis.NewClient(&goredis.Options{Addr: f.addr, MaxRetries: -1})
	defer client.Close()
	return client.Get(t.Context(), "k").Err()
}

func TestReplies(t *testing.T) {
	for text, want := range map[string]error{
		"OOM command not allowed when used memory > 'maxmemory'.":        cache.ErrFull,
		"NOAUTH Authentication required.":                                cache.ErrAuth,
		"WRONGPASS invalid username-password pair or user is disabled.":  cache.ErrAuth,
		"NOPERM this user has no permissions to run the 'get' command":   cache.ErrAuth,
		"ERR invalid password":                                           cache.ErrAuth,
		"LOADING Redis is loading the dataset in memory":                 cache.ErrUnavailable,
		"MASTERDOWN Link with MASTER is down":                            cache.ErrUnavailable,
		"CLUSTERDOWN The cluster is down":                                cache.ErrUnavailable,
		"READONLY You can't write against a read only replica.":          cache.ErrUnavailable,
		"TRYAGAIN Multiple keys request during rehashing of slot":        cache.ErrUnavailable,
		"MOVED 1 127.0.0.1:1":                                            cache.ErrUnavailable,
		"ASK 1 127.0.0.1:1":                                              cache.ErrUnavailable,
		"NOREPLICAS Not enough good replicas to write.":                  cache.ErrUnavailable,
		"MISCONF Redis is configured to save RDB snapshots":              cache.ErrUnavailable,
		"ERR max number of clients reached":                              cache.ErrUnavailable,
		"ERR value is not an integer or out of range":                    cache.ErrNotInteger,
		"ERR increment or decrement would overflow":                      cache.ErrNotInteger,
		"WRONGTYPE Operation against a key holding the wrong kind of v.": cache.ErrCorrupt,
		"ERR syntax error":                                               nil,
	} {
		err := new(Backend).failure(t.Context(), reply(t, text), true)
		if err == nil || !strings.Contains(err.Error(), text) || errors.Is(err, cache.ErrUnknownOutcome) {
			t.Errorf("%s: %v", text, err)
		}
		for _, kind := range []error{cache.ErrFull, cache.ErrAuth, cache.ErrUnavailable, cache.ErrNotInteger, cache.ErrCorrupt} {
			if errors.Is(err, kind) != (kind == want) {
				t.Errorf("%v; is it %q?", err, kind)
			}
		}
	}
}

// Errors that a setting of this package or of the server can end name it.
func TestRemedies(t *testing.T) {
	for text, setting := range map[string]string{
		"NOAUTH Authentication required.":                         "CACHE_REDIS_PASSWORD",
		"OOM command not allowed when used memory > 'maxmemory'.": "maxmemory-policy",
		"ERR DB index is out of range":                            "CACHE_REDIS_DB",
		"ERR max number of clients reached":                       "pool_size",
		"MOVED 1 127.0.0.1:1":                                     "CACHE_REDIS_CLUSTER",
	} {
		if err := new(Backend).failure(t.Context(), reply(t, text), true); err == nil || !strings.Contains(err.Error(), setting) {
			t.Errorf("%v, which lacks %s", err, setting)
		}
	}
}

func TestReplyWithArguments(t *testing.T) {
	err := new(Backend).failure(t.Context(), reply(t, "ERR unknown command 'set', with args beginning with: 'k' '"+value+"' "), true)
	if err == nil || !strings.Contains(err.Error(), "unknown command 'set'") || strings.Contains(err.Error(), value) {
		t.Error(err)
	}
}

func TestFailures(t *testing.T) {
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	early, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	timeout := &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}
	none := errors.New("none")
	for name, tt := range map[string]struct {
		ctx         context.Context
		err         error
		write       bool
		want, never error
	}{
		"read, broken":                   {early, io.EOF, false, cache.ErrUnavailable, cache.ErrUnknownOutcome},
		"write, broken":                  {early, io.EOF, true, cache.ErrUnknownOutcome, cache.ErrUnavailable},
		"write, refused":                 {early, notConnected(io.EOF), true, cache.ErrUnavailable, cache.ErrUnknownOutcome},
		"write, as the driver unwraps":   {early, errors.Unwrap(notConnected(io.EOF)), true, cache.ErrUnavailable, cache.ErrUnknownOutcome},
		"read, timeout of the driver":    {early, timeout, false, cache.ErrUnavailable, context.DeadlineExceeded},
		"read, deadline in the socket":   {late, timeout, false, context.DeadlineExceeded, cache.ErrUnknownOutcome},
		"write, deadline in the socket":  {late, timeout, true, cache.ErrUnknownOutcome, cache.ErrUnavailable},
		"write, deadline in the queue":   {late, context.DeadlineExceeded, true, cache.ErrUnavailable, cache.ErrUnknownOutcome},
		"write, pool":                    {early, goredis.ErrPoolTimeout, true, cache.ErrUnavailable, cache.ErrUnknownOutcome},
		"write, cancelled before":        {early, context.Canceled, true, context.Canceled, cache.ErrUnavailable},
		"write, cancelled when sent":     {early, remote.Abandoned{Err: context.Canceled}, true, cache.ErrUnknownOutcome, cache.ErrUnavailable},
		"write, out of time when sent":   {late, remote.Abandoned{Err: context.DeadlineExceeded}, true, cache.ErrUnknownOutcome, cache.ErrUnavailable},
		"read, out of time when sent":    {late, remote.Abandoned{Err: context.DeadlineExceeded}, false, context.DeadlineExceeded, cache.ErrUnknownOutcome},
		"sentinel, wrong password":       {early, remote.Unsent{Err: fmt.Errorf("sentinel: %w", reply(t, "WRONGPASS x"))}, true, cache.ErrAuth, cache.ErrUnavailable},
		"sentinel that knows no primary": {early, remote.Unsent{Err: goredis.Nil}, false, cache.ErrUnavailable, none},
	} {
		err := new(Backend).failure(tt.ctx, tt.err, tt.write)
		if !errors.Is(err, tt.want) || errors.Is(err, tt.never) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFailuresOfClosed(t *testing.T) {
	b := new(Backend)
	b.closed.Store(true)
	for _, err := range []error{goredis.ErrClosed, net.ErrClosed, io.EOF, cache.ErrClosed} {
		if err := b.failure(t.Context(), err, false); !errors.Is(err, cache.ErrClosed) || errors.Is(err, cache.ErrUnavailable) {
			t.Errorf("read: %v", err)
		}
	}
	if err := b.failure(t.Context(), net.ErrClosed, true); !errors.Is(err, cache.ErrClosed) || !errors.Is(err, cache.ErrUnknownOutcome) {
		t.Errorf("write that was under way: %v", err)
	}
}
