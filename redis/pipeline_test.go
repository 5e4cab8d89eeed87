package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver/remote"
	goredis "github.com/redis/go-redis/v9"
)

func TestManyCallersShare(t *testing.T) {
	const callers, few = 32, 4 + 2 // calls alone and shared round trips at a time
	for alone, connections := range map[bool][2]int{false: {1, few}, true: {few + 1, callers}} {
		f := startFake(t, func(_ int, args []string) string {
			if args[0] != "get" {
				return ""
			}
			return fmt.Sprintf("$%d\r\n%s\r\n", len(args[1]), args[1]) // the key
		})
		b := start(t, Options{Addr: f.addr, PoolSize: callers, NoAutoPipeline: alone})
		var wait sync.WaitGroup
		for caller := range callers {
			wait.Go(func() {
				for i := range 100 {
					key := fmt.Sprintf("%d of %d", i, caller)
					if v, ok, err := b.Get(t.Context(), key); string(v) != key || !ok || err != nil {
						t.Errorf("Get(%q) = %q, %v, %v", key, v, ok, err)
					}
				}
			})
		}
		wait.Wait()
		if n := f.count("conns"); n < connections[0] || n > connections[1] {
			t.Errorf("NoAutoPipeline %v: %d connections; want %v", alone, n, connections)
		}
	}
}

// sharing returns a backend whose calls all share round trips.
func sharing(t *testing.T, f *fake) *Backend {
	t.Helper()
	b := start(t, Options{Addr: f.addr, ReadTimeout: ample})
	b.pipeline.MaxAlone = -1
	return b
}

func TestAbandonedWhenSent(t *testing.T) {
	f := startFake(t, on("set", always(silence)))
	b := sharing(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		waitFor(t, "the command", func() bool { return f.count("set") == 1 })
		cancel()
	}()
	begin := time.Now()
	if err := b.Set(ctx, "k", nil, 0); !errors.Is(err, context.Canceled) || !errors.Is(err, cache.ErrUnknownOutcome) {
		t.Errorf("%v; want a cancelled context and an unknown outcome", err)
	}
	if took := time.Since(begin); took > ample/2 {
		t.Errorf("took %v: it must not wait for the read timeout", took)
	}
}

// The pipeline never reads the caller's memory after the call has returned.
func TestCallersMemoryIsNotUsed(t *testing.T) {
	const callers = 2 // as many as round trips that are under way at a time
	release, stored := make(chan struct{}), make(chan string, 1)
	f := startFake(t, func(_ int, args []string) string {
		switch args[0] {
		case "get":
			<-release
			return "$-1\r\n"
		case "set":
			stored <- args[2]
		}
		return ""
	})
	b := sharing(t, f)
	for n := range callers {
		go b.Get(t.Context(), "k")
		waitFor(t, "a round trip", func() bool { return f.count("get") == n+1 })
	}
	value := []byte("before")
	go b.Set(t.Context(), "k", value, 0)
	waitFor(t, "a command that waits", func() bool { waiting, _ := b.pipeline.Load(); return waiting == 1 })
	copy(value, "after!")
	close(release)
	if got := <-stored; got != "before" {
		t.Errorf("stored %q", got)
	}
}

func TestLargeCommandsDoNotShare(t *testing.T) {
	for name, tt := range map[string]struct {
		cmd  goredis.Cmder
		want bool
	}{
		"get":         {goredis.NewStringCmd(t.Context(), "get", "k"), false},
		"set":         {new(Backend).setCmd(t.Context(), "k", make([]byte, maxShared), nil), false},
		"large value": {once(new(Backend).setCmd(t.Context(), "k", make([]byte, maxShared+1), nil)), true},
		"batch":       {goredis.NewCmd(t.Context(), "mget", "k"), true},
	} {
		if got := isLarge(tt.cmd); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A caller that leaves does not read its command, to which the pipeline may be writing.
// Only the race detector notices if it does.
func TestAbandonedCommandIsNotRead(t *testing.T) {
	f := startFake(t, func(_ int, args []string) string {
		switch args[0] {
		case "set", "unlink", "pttl", "incrby", "eval":
			time.Sleep(time.Millisecond)
			return ":1\r\n"
		case "get":
			return "$1\r\nv\r\n"
		}
		return ""
	})
	b := sharing(t, f)
	calls := map[string]func(ctx context.Context) (zero bool, err error){
		"Get":    func(ctx context.Context) (bool, error) { v, ok, err := b.Get(ctx, "k"); return v == nil && !ok, err },
		"Add":    func(ctx context.Context) (bool, error) { added, err := b.Add(ctx, "k", nil, 0); return !added, err },
		"Delete": func(ctx context.Context) (bool, error) { deleted, err := b.Delete(ctx, "k"); return !deleted, err },
		"Has":    func(ctx context.Context) (bool, error) { ok, err := b.Has(ctx, "k"); return !ok, err },
		"TTL":    func(ctx context.Context) (bool, error) { ttl, ok, err := b.TTL(ctx, "k"); return ttl == 0 && !ok, err },
		"Inc": func(ctx context.Context) (bool, error) {
			sum, err := b.Inc(ctx, "k", 1, time.Minute)
			return sum == 0, err
		},
	}
	var callers sync.WaitGroup
	for caller := range 16 {
		callers.Go(func() {
			for i := range 20 {
				for name, call := range calls {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration((i+caller)%20)*200*time.Microsecond)
					if zero, err := call(ctx); err != nil && !zero {
						t.Errorf("%s returned a result and %v", name, err)
					}
					cancel()
				}
			}
		})
	}
	callers.Wait()
}

// Callers without a deadline do not wait for one timeout after another if the server is
// silent: the commands of some are not sent at all.
func TestQueueBehindSilentServer(t *testing.T) {
	f := startFake(t, on("set", always(silence)))
	b := start(t, Options{Addr: f.addr, ReadTimeout: 100 * time.Millisecond})
	b.pipeline.MaxAlone, b.pipeline.BatchSize = -1, 1
	var waited atomic.Int32
	var callers sync.WaitGroup
	for range 200 {
		callers.Go(func() {
			err := b.Set(t.Context(), "k", []byte("v"), 0)
			notSent := errors.Is(err, remote.ErrWait)
			if notSent {
				waited.Add(1)
			}
			if !errors.Is(err, cache.ErrUnavailable) && notSent || errors.Is(err, cache.ErrUnknownOutcome) == notSent {
				t.Errorf("%v, sent: %v", err, !notSent)
			}
		})
	}
	callers.Wait()
	if waited.Load() == 0 {
		t.Error("every command was sent, after a long wait")
	}
}

func TestResultOfAnError(t *testing.T) {
	cmd := goredis.NewBoolCmd(t.Context())
	cmd.SetVal(true)
	if val, err := result(cmd, context.Canceled); val || err != context.Canceled {
		t.Errorf("got %v, %v; want no value", val, err)
	}
	if val, err := result(cmd, nil); !val || err != nil {
		t.Errorf("got %v, %v; want the value", val, err)
	}
}
