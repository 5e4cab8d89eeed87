package cache_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

// recorder keeps the events that an observer received, without durations.
type recorder struct{ events []cache.Event }

func (r *recorder) observe(_ context.Context, e cache.Event) {
	if e.Duration < 0 {
		panic("negative duration")
	}
	e.Duration = 0
	r.events = append(r.events, e)
}

func (r *recorder) last(t *testing.T) cache.Event {
	t.Helper()
	if len(r.events) != 1 {
		t.Fatalf("%d events, want one call per operation: %v", len(r.events), r.events)
	}
	e := r.events[0]
	r.events = nil
	return e
}

func TestObserver(t *testing.T) {
	ctx := t.Context()
	var r recorder
	c := cache.New(newRich(), cache.WithObserver(r.observe))
	numbers := cache.Of[int](c)
	kept := cache.Of[int](c, cache.WithoutEncoding())
	for _, tt := range []struct {
		do   func()
		want cache.Event
	}{
		{func() { c.Get(ctx, "k") }, cache.Event{Op: "get", Misses: 1}},
		{func() { c.Set(ctx, "k", []byte("100")) }, cache.Event{Op: "set", Bytes: 3}},
		{func() { c.Get(ctx, "k") }, cache.Event{Op: "get", Hits: 1, Bytes: 3}},
		{func() { numbers.Get(ctx, "k") }, cache.Event{Op: "get", Hits: 1, Bytes: 3}},
		{func() { kept.Get(ctx, "k") }, cache.Event{Op: "get", Misses: 1}},
		{func() { kept.Set(ctx, "k", 1) }, cache.Event{Op: "set"}},
		{func() { kept.GetMany(ctx, "k", "l") }, cache.Event{Op: "get_many", Hits: 1, Misses: 1}},
		{func() { c.Add(ctx, "k", []byte("x")) }, cache.Event{Op: "add", Bytes: 1, Refused: true}},
		{func() { c.Has(ctx, "k") }, cache.Event{Op: "has", Hits: 1}},
		{func() { c.TTL(ctx, "l") }, cache.Event{Op: "ttl", Misses: 1}},
		{func() { c.Inc(ctx, "k", 1) }, cache.Event{Op: "inc"}},
		{func() { c.Dec(ctx, "k", 1) }, cache.Event{Op: "dec"}},
		{func() { c.SetMany(ctx, map[string][]byte{"m": []byte("12345")}) }, cache.Event{Op: "set_many", Bytes: 5}},
		{func() { c.GetMany(ctx, "k", "k", "none") }, cache.Event{Op: "get_many", Hits: 2, Misses: 1, Bytes: 6}},
		{func() { c.GetDict(ctx, "m") }, cache.Event{Op: "get_dict", Hits: 1, Bytes: 5}},
		{func() { c.DeleteMany(ctx, "m") }, cache.Event{Op: "delete_many"}},
		{func() { c.Delete(ctx, "k") }, cache.Event{Op: "delete"}},
		{func() { c.Clear(ctx) }, cache.Event{Op: "clear"}},
		{func() { c.Ping(ctx) }, cache.Event{Op: "ping"}},
	} {
		tt.do()
		tt.want.Backend = "cache_test.rich"
		if got := r.last(t); got != tt.want {
			t.Errorf("got  %+v\nwant %+v", got, tt.want)
		}
	}
}

func TestIgnoreErrors(t *testing.T) {
	ctx := t.Context()
	var r recorder
	backend := newRich()
	backend.fail = failOn("", errDown)
	c := cache.New(backend, cache.WithIgnoreErrors(), cache.WithObserver(r.observe))
	for verb, err := range every(ctx, c, "k") {
		if err != nil {
			t.Errorf("%s: %v; want the error ignored", verb, err)
		}
	}
	observed := 0
	loads := 0
	for _, e := range r.events {
		if errors.Is(e.Err, errDown) {
			observed++
		}
		if e.Op == cache.OpLoad {
			loads++
		}
	}
	if observed != len(r.events)-loads || observed == 0 {
		t.Errorf("the observer received %d errors in %d events", observed, len(r.events))
	}
	if err := c.Ping(ctx); !errors.Is(err, errDown) {
		t.Errorf("Ping = %v; want the error", err)
	}
}

// Damaged bytes are a miss for the caller; the observer receives the error.
func TestDamageIsAnObservedMiss(t *testing.T) {
	ctx := t.Context()
	for name, make := range map[string]func(*fake) cache.Backend{
		"fallback": func(f *fake) cache.Backend { return f },
		"native": func(f *fake) cache.Backend {
			r := newRich()
			r.fake = f
			return r
		},
	} {
		t.Run(name, func(t *testing.T) {
			var r recorder
			backend := newFake()
			c := cache.New(make(backend), cache.WithPrefix("p:"), cache.WithObserver(r.observe))
			must(t, c.SetMany(ctx, map[string][]byte{"good": nil, "torn": nil}))
			backend.fail = failOn("torn", cache.ErrCorrupt)
			r.events = nil
			if _, ok, err := c.Get(ctx, "torn"); ok || err != nil {
				t.Errorf("Get = %v, %v; want a miss", ok, err)
			}
			if e := r.last(t); !errors.Is(e.Err, cache.ErrCorrupt) {
				t.Errorf("the observer received %v", e.Err)
			}
			results, err := c.GetMany(ctx, "torn", "good")
			if err != nil || results[0].OK || !results[1].OK {
				t.Errorf("GetMany = %v, %v; want a miss and a hit", results, err)
			}
			if e := r.last(t); !errors.Is(e.Err, cache.ErrCorrupt) || e.Hits != 1 || e.Misses != 1 {
				t.Errorf("the observer received %+v", e)
			}
		})
	}
}

// manyFails is a fake whose GetMany and SetMany return err.
type manyFails struct {
	*fake
	err error
}

func (m manyFails) GetMany(_ context.Context, keys []string) ([][]byte, error) {
	return make([][]byte, len(keys)), m.err
}

func (m manyFails) SetMany(context.Context, []driver.Item, time.Duration) error { return m.err }

// Damage is a miss, and what failed beside it is an error: whatever joins or wraps
// the error of a backend. No error names a key with its prefix.
func TestDamageBesideAnOutage(t *testing.T) {
	batch := func(errs ...error) error { return driver.BatchOf([]string{"p:a", "p:b"}, errs) }
	corrupt := fmt.Errorf("%w: short read", cache.ErrCorrupt)
	other := errors.New("shard down")
	for name, tt := range map[string]struct {
		err    error
		want   error // nil: only damage
		failed []string
	}{
		"batch":             {batch(corrupt), nil, nil},
		"batch of two":      {batch(corrupt, errDown), errDown, []string{"b"}},
		"wrapped damage":    {fmt.Errorf("node: %w", batch(corrupt, cache.ErrCorrupt)), nil, nil},
		"wrapped":           {fmt.Errorf("node: %w", batch(corrupt, errDown)), errDown, []string{"b"}},
		"merged":            {driver.MergeBatch(batch(corrupt), errDown), errDown, nil},
		"joined unknown":    {errors.Join(batch(corrupt), other), other, nil},
		"joined two":        {errors.Join(errDown, batch(corrupt, other)), other, []string{"b"}},
		"wrapped join":      {fmt.Errorf("node: %w", errors.Join(batch(corrupt), other)), other, nil},
		"outage in a key":   {batch(errors.Join(corrupt, errDown)), errDown, []string{"a"}},
		"classified twice":  {fmt.Errorf("%w: %w", cache.ErrCorrupt, cache.ErrUnavailable), cache.ErrUnavailable, nil},
		"damage of a store": {corrupt, nil, nil},
	} {
		for _, prefix := range []string{"", "p:"} {
			t.Run(name+" with prefix "+prefix, func(t *testing.T) {
				var r recorder
				c := cache.New(manyFails{newFake(), tt.err}, cache.WithPrefix(prefix), cache.WithObserver(r.observe))
				_, err := c.GetMany(t.Context(), "a", "b")
				if !errors.Is(err, tt.want) || errors.Is(err, cache.ErrCorrupt) {
					t.Errorf("GetMany = %v; want %v without damage", err, tt.want)
				}
				var failed *cache.BatchError
				if errors.As(err, &failed) != (tt.failed != nil) {
					t.Errorf("GetMany = %v; want the keys %q", err, tt.failed)
				} else if failed != nil && prefix != "" && !slices.Equal(failedKeys(t, err), tt.failed) {
					t.Errorf("GetMany blames %q; want %q", failedKeys(t, err), tt.failed)
				}
				seen := r.last(t).Err
				if !errors.Is(seen, cache.ErrCorrupt) || tt.want != nil && !errors.Is(seen, tt.want) {
					t.Errorf("the observer received %v", seen)
				}
				stored := c.SetMany(t.Context(), map[string][]byte{"a": nil, "b": nil})
				if prefix != "" && strings.Contains(fmt.Sprint(err, seen, stored), prefix) {
					t.Errorf("an error names the prefix: %v; %v; %v", err, seen, stored)
				}
			})
		}
	}
}
