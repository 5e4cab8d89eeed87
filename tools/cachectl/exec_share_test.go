package main

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/simple"
)

// memory opens a cache in memory that is closed at the end of the test.
func memory(t *testing.T) *cache.Cache {
	t.Helper()
	b, err := simple.New(t.Context(), simple.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := cache.New(b)
	t.Cleanup(func() { c.Close() })
	return c
}

// While the runner keeps its lease, no other caller gets it, although a lease of the store
// ends after hold. After release, another caller gets it at once.
func TestLeaseIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, ctx := memory(t), t.Context()
		flags := execFlags{hold: 10 * time.Second, cacheTimeout: time.Minute}
		held, other := newLease(c, "k", flags), newLease(c, "k", flags)
		if taken, err := held.take(ctx); !taken || err != nil {
			t.Fatalf("take: %t, %v", taken, err)
		}
		held.keep(ctx)
		for range 100 {
			if taken, err := other.take(ctx); taken || err != nil {
				t.Fatalf("take by another: %t, %v", taken, err)
			}
			time.Sleep(977 * time.Millisecond)
		}
		held.release(ctx)
		if taken, err := other.take(ctx); !taken || err != nil {
			t.Errorf("take after release: %t, %v", taken, err)
		}
	})
}

// contended is a store in which another caller holds the first half of a lease for a moment
// when a renewal is due.
type contended struct {
	*simple.Backend
	start time.Time // of the lease
	every time.Duration
}

func (b contended) Lease(ctx context.Context, key string, hold time.Duration) (value []byte, ok bool, token string, err error) {
	passed := time.Since(b.start)
	if strings.HasPrefix(key, "exec-lease-0:") && passed > 0 && passed%b.every < 5*time.Millisecond {
		return nil, false, "", nil
	}
	return b.Backend.Lease(ctx, key, hold)
}

// The runner keeps its lease although another caller gets one half first at each renewal.
func TestLeaseIsKeptFromWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		b, err := simple.New(ctx, simple.Options{})
		if err != nil {
			t.Fatal(err)
		}
		flags := execFlags{hold: 10 * time.Second, cacheTimeout: time.Minute}
		c := cache.New(contended{b, time.Now(), flags.hold / 4})
		defer c.Close()
		held, other := newLease(c, "k", flags), newLease(c, "k", flags)
		if taken, err := held.take(ctx); !taken || err != nil {
			t.Fatalf("take: %t, %v", taken, err)
		}
		held.keep(ctx)
		for range 100 {
			time.Sleep(977 * time.Millisecond)
			if taken, err := other.take(ctx); taken || err != nil {
				t.Fatalf("take by another: %t, %v", taken, err)
			}
		}
		held.release(ctx)
		if taken, err := other.take(ctx); !taken || err != nil {
			t.Errorf("take after release: %t, %v", taken, err)
		}
	})
}

func TestDeadRunnerIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, ctx := memory(t), t.Context()
		flags := execFlags{hold: 10 * time.Second, cacheTimeout: time.Minute}
		if taken, err := newLease(c, "k", flags).take(ctx); !taken || err != nil {
			t.Fatalf("take: %t, %v", taken, err)
		}
		time.Sleep(flags.hold)
		if taken, err := newLease(c, "k", flags).take(ctx); !taken || err != nil {
			t.Errorf("take after the end: %t, %v", taken, err)
		}
	})
}
