package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	goredis "github.com/redis/go-redis/v9"
)

func TestManyCallersShare(t *testing.T) {
	const callers = 32
	for alone, connections := range map[bool][2]int{false: {1, alone + lanes}, true: {alone + lanes + 1, callers}} {
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

// busy returns a backend with all batches under way until release is called.
func busy(t *testing.T) (b *Backend, f *fake, release func()) {
	t.Helper()
	hold := make(chan struct{})
	f = startFake(t, func(n int, args []string) string {
		if args[0] == "get" && args[1] == "held" {
			<-hold
		}
		if args[0] == "get" {
			return "$-1\r\n"
		}
		return ""
	})
	b = start(t, Options{Addr: f.addr})
	release = sync.OnceFunc(func() { close(hold) })
	t.Cleanup(release)
	for lane := range lanes {
		go b.shared.process(t.Context(), goredis.NewStringCmd(t.Context(), "get", "held"))
		waitFor(t, "a batch", func() bool { return f.count("get") == lane+1 })
	}
	return b, f, release
}

func (s *shared) gathered() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.next.cmds)
}

func TestWhoHasGoneIsNotSent(t *testing.T) {
	b, f, release := busy(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- b.shared.process(ctx, setCmd(ctx, "k", []byte("v"), nil)) }()
	waitFor(t, "a command that waits", func() bool { return b.shared.gathered() == 1 })
	cancel()
	err := <-ended
	if !errors.Is(err, context.Canceled) || !isUnsent(err) {
		t.Errorf("%v; want the end of the context, before anything was sent", err)
	}
	release()
	if err := b.shared.process(t.Context(), goredis.NewStringCmd(t.Context(), "get", "k")); err != goredis.Nil {
		t.Errorf("the next command: %v", err)
	}
	if n := f.count("set"); n != 0 {
		t.Errorf("the command was sent %d times, though its caller had gone", n)
	}
}

func TestWhoGoesWhenSent(t *testing.T) {
	f := startFake(t, on("set", always(silence)))
	b := start(t, Options{Addr: f.addr})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		waitFor(t, "the command", func() bool { return f.count("set") == 1 })
		cancel()
	}()
	begin := time.Now()
	err := b.failure(ctx, b.shared.process(ctx, setCmd(ctx, "k", nil, nil)), true)
	if !errors.Is(err, context.Canceled) || !errors.Is(err, cache.ErrUnknownOutcome) {
		t.Errorf("%v; want the end of the context, and an unknown outcome", err)
	}
	if took := time.Since(begin); took > time.Second {
		t.Errorf("took %v: it should not wait for the read timeout", took)
	}
}

func TestCallersMemoryIsNotUsed(t *testing.T) {
	b, f, release := busy(t)
	stored := make(chan string, 1)
	f.mu.Lock()
	answer := f.answer
	f.answer = func(n int, args []string) string {
		if args[0] == "set" {
			stored <- args[2]
		}
		return answer(n, args)
	}
	f.mu.Unlock()
	value := []byte("before")
	go b.shared.process(t.Context(), setCmd(t.Context(), "k", value, nil))
	waitFor(t, "a command that waits", func() bool { return b.shared.gathered() == 1 })
	copy(value, "after!")
	release()
	if got := <-stored; got != "before" {
		t.Errorf("stored %q", got)
	}
}

// A batch ends when nobody waits for it any more, so that the next can begin.
func TestBatchEndsWithItsCallers(t *testing.T) {
	f := startFake(t, on("get", func(n int) string {
		if n <= lanes {
			return silence
		}
		return "$1\r\nv\r\n"
	}))
	b := start(t, Options{Addr: f.addr})
	get := func(patience time.Duration) error {
		ctx := soon(t, patience)
		return b.failure(ctx, b.shared.process(ctx, goredis.NewStringCmd(ctx, "get", "k")), false)
	}
	for range lanes {
		if err := get(50 * time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("of a silent server: %v", err)
		}
	}
	if err := get(ample); err != nil {
		t.Errorf("after it: %v", err)
	}
}

// A caller that leaves reads nothing of its command, which the pipeline may be
// writing: the race detector sees it if it does.
func TestAbandonedCommandIsNotRead(t *testing.T) {
	f := startFake(t, func(_ int, args []string) string {
		switch args[0] {
		case "set", "unlink", "exists", "pttl", "incrby", "eval":
			time.Sleep(time.Millisecond)
			return ":1\r\n"
		case "get":
			return "$1\r\nv\r\n"
		}
		return ""
	})
	b := start(t, Options{Addr: f.addr})
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
