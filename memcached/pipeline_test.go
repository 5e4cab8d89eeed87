package memcached

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/memcached/internal/wire"
)

// share returns a backend whose calls all share round trips, as if there were many.
func share(t *testing.T, o Options, answer func(n int, command string) string) (*fake, *Backend) {
	f := startFake(t, answer)
	o.Servers = []string{f.addr}
	o, err := withAmple(o).complete()
	must(t, err)
	config := o.wire()
	config.MaxAlone = -1
	b := newBackend(wire.NewClient(config), o)
	t.Cleanup(func() { b.Close() })
	return f, b
}

// load returns how many requests wait to be sent together, and how many batches of them
// are under way.
func load(b *Backend) (waiting, batches int) {
	_, waiting, batches = b.store.(*wire.Client).Load()
	return waiting, batches
}

// maxBatches is how many batches are under way at a time.
const maxBatches = 2

func TestSharedRoundTrips(t *testing.T) {
	bothProtocols(t, func(t *testing.T, o Options) {
		f, b := share(t, o, nil)
		var running sync.WaitGroup
		for i := range 64 {
			running.Go(func() {
				for j := range 50 {
					key := fmt.Sprintf("k%d", (i+j)%40)
					must := func(err error) {
						if err != nil {
							t.Error(err)
						}
					}
					must(b.Set(t.Context(), key, []byte("v"+key), time.Minute))
					value, ok, err := b.Get(t.Context(), key)
					must(err)
					if !ok || string(value) != "v"+key {
						t.Errorf("Get(%s) = %q, %v", key, value, ok)
					}
					has, err := b.Has(t.Context(), "absent")
					must(err)
					if has {
						t.Error("Has(absent)")
					}
					_, err = b.Inc(t.Context(), "n", 1, 0)
					must(err)
				}
			})
		}
		running.Wait()
		b.mustGet(t, "n", "3200")
		if n := f.count("conns"); n > maxBatches {
			t.Errorf("%d connections; want at most %d", n, maxBatches)
		}
	})
}

// The request of a caller that leaves early is not sent; the others go on.
func TestCallerLeaves(t *testing.T) {
	bothProtocols(t, func(t *testing.T, o Options) {
		release := make(chan struct{})
		f, b := share(t, o, func(i int, command string) string {
			if strings.Contains(command, "slow") {
				<-release
			}
			return ""
		})
		var running sync.WaitGroup
		for i := range maxBatches {
			running.Go(func() {
				if err := b.Set(t.Context(), fmt.Sprintf("slow%d", i), []byte("v"), 0); err != nil {
					t.Error(err)
				}
			})
			waitFor(t, "a batch to be under way", func() bool { return f.count("ms")+f.count("0x01") == i+1 })
		}
		early, cancel := context.WithCancel(t.Context())
		waiting := func() int { n, _ := load(b); return n }
		running.Go(func() {
			err := b.Set(early, "early", []byte("v"), 0)
			if !errors.Is(err, context.Canceled) || errors.Is(err, cache.ErrUnknownOutcome) {
				t.Errorf("a caller that left before sending: %v; want Canceled and nothing sent", err)
			}
			if err := b.Set(soon(t, time.Nanosecond), "early", []byte("v"), 0); errors.Is(err, cache.ErrUnknownOutcome) {
				t.Errorf("a caller whose context had ended: %v", err)
			}
			close(release)
		})
		running.Go(func() {
			waitFor(t, "the other to wait", func() bool { return waiting() == 1 })
			if _, ok, err := b.Get(t.Context(), "absent"); ok || err != nil {
				t.Errorf("a caller that stayed: %v, %v", ok, err)
			}
		})
		waitFor(t, "both to wait", func() bool { return waiting() == 2 })
		cancel()
		running.Wait()
		b.mustMiss(t, "early")
		b.mustGet(t, "slow0", "v")
	})
}

func TestSharedServerDoesNotReply(t *testing.T) {
	bothProtocols(t, func(t *testing.T, o Options) {
		f, b := share(t, o, func(int, string) string { return silent })
		withTimeouts(t, func(timeout time.Duration) error {
			_, err := b.Add(soon(t, timeout), "k", nil, 0)
			if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, cache.ErrUnknownOutcome) {
				return fmt.Errorf("Add with a deadline: %w", err)
			}
			return nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		f.answers(func(int, string) string { cancel(); return silent })
		if _, _, err := b.Get(ctx, "k"); !errors.Is(err, context.Canceled) {
			t.Errorf("Get that is cancelled: %v", err)
		}
		waitFor(t, "the batch to end, for which no caller waits", func() bool { _, n := load(b); return n == 0 })
	})
}

func TestSharedLostReply(t *testing.T) {
	bothProtocols(t, func(t *testing.T, o Options) {
		_, b := share(t, o, on(hangUp, "get", "0x0c", "0x02"))
		if _, _, err := b.Get(t.Context(), "k"); !errors.Is(err, cache.ErrUnavailable) {
			t.Errorf("Get: %v", err)
		}
		f, b := share(t, o, nil)
		f.answers(func(n int, command string) string {
			if n == 1 {
				return hangUp
			}
			return ""
		})
		if _, _, err := b.Get(t.Context(), "k"); err != nil {
			t.Errorf("Get whose first answer was lost: %v", err)
		}
		if _, err := b.Add(t.Context(), "k", nil, 0); !errors.Is(err, cache.ErrUnknownOutcome) {
			t.Errorf("Add: %v; want ErrUnknownOutcome", err)
		}
	})
}
