package main

import (
	"context"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// memory opens a cache in memory that is closed at the end of the test.
func memory(t *testing.T) *cache.Cache {
	t.Helper()
	c, err := cache.Open(t.Context(), cache.FromMap(map[string]any{"CACHE_TYPE": "simple"}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestLeaseRenew(t *testing.T) {
	for _, test := range []struct {
		name   string
		holder func(l *lease) string // in the store; "" if the lease is free
		renews bool
	}{
		{"held by us", func(l *lease) string { return l.token }, true},
		{"evicted", func(*lease) string { return "" }, true},
		{"held by another", func(*lease) string { return "another" }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, ctx := memory(t), t.Context()
			l := newLease(c, "lease", execFlags{leaseTTL: time.Hour, cacheTimeout: time.Minute})
			if holder := test.holder(l); holder != "" {
				c.Set(ctx, "lease", []byte(holder), cache.Timeout(time.Minute))
			}
			l.renew(ctx)
			holder, err := l.holder(ctx)
			life, _, _ := c.TTL(ctx, "lease")
			if err != nil || (holder == l.token) != test.renews || (life > time.Minute) != test.renews {
				t.Errorf("holder %q, own token %q, TTL %v, %v", holder, l.token, life, err)
			}
			l.release(ctx)
			if has, _ := c.Has(ctx, "lease"); has == test.renews {
				t.Errorf("after release: present %v", has)
			}
		})
	}
}

// contested is a store in which another caller always adds first.
type contested struct{ faulty }

func (contested) Add(context.Context, string, []byte, time.Duration) (bool, error) { return false, nil }

func TestClaimLost(t *testing.T) {
	c := cache.New(contested{})
	flags := execFlags{leaseTTL: time.Hour, cacheTimeout: time.Minute}
	runs := &sharedRuns{flags: flags, cache: c}
	if holder, taken, err := runs.claim(t.Context(), newLease(c, "lease", flags)); holder != "" || taken || err != nil {
		t.Errorf("got %q, %v, %v", holder, taken, err)
	}
}
