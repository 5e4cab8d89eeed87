package cache_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	cache "github.com/cachebackends/cachebackends/core"
)

var errDown = errors.New("no answer")

// failOn makes the keys that contain part fail with err.
func failOn(part string, err error) func(string) error {
	return func(key string) error {
		if strings.Contains(key, part) {
			return err
		}
		return nil
	}
}

func TestBatches(t *testing.T) {
	ctx := t.Context()
	for name, backend := range map[string]cache.Backend{"fallback": newFake(), "native": newRich()} {
		t.Run(name, func(t *testing.T) {
			c := cache.New(backend, cache.WithPrefix("p:"))
			must(t, c.SetMany(ctx, map[string][]byte{"a": []byte("1"), "b": []byte("2"), "empty": nil}))
			keys := []string{"b", "none", "a", "b", "empty"}
			before := slices.Clone(keys)
			results, err := c.GetMany(ctx, keys...)
			must(t, err)
			var got []string
			for _, r := range results {
				if r.OK && r.Value == nil {
					t.Error("a hit with a nil value")
				}
				got = append(got, map[bool]string{true: "hit " + string(r.Value), false: "miss"}[r.OK])
			}
			if want := []string{"hit 2", "miss", "hit 1", "hit 2", "hit "}; !slices.Equal(got, want) {
				t.Errorf("GetMany = %q, want %q", got, want)
			}
			hits, err := c.GetDict(ctx, keys...)
			must(t, err)
			if got := slices.Sorted(maps.Keys(hits)); !slices.Equal(got, []string{"a", "b", "empty"}) {
				t.Errorf("GetDict has the keys %q", got)
			}
			deleted, err := c.DeleteMany(ctx, keys...)
			must(t, err)
			if want := []string{"b", "a", "empty"}; !slices.Equal(deleted, want) {
				t.Errorf("DeleteMany = %q, want %q: input order, each once", deleted, want)
			}
			if !slices.Equal(keys, before) {
				t.Errorf("the caller's keys became %q", keys)
			}
		})
	}
}

func TestEmptyBatches(t *testing.T) {
	ctx := t.Context()
	backend := newRich()
	c := cache.New(backend)
	if results, err := c.GetMany(ctx); len(results) != 0 || err != nil {
		t.Errorf("GetMany() = %v, %v", results, err)
	}
	if deleted, err := c.DeleteMany(ctx); len(deleted) != 0 || err != nil {
		t.Errorf("DeleteMany() = %v, %v", deleted, err)
	}
	if hits, err := c.GetDict(ctx); hits == nil || len(hits) != 0 || err != nil {
		t.Errorf("GetDict() = %v, %v; want an empty map", hits, err)
	}
	must(t, c.SetMany(ctx, nil))
	if backend.calls != 0 {
		t.Errorf("the backend was called %d times", backend.calls)
	}
}

// failedKeys lists the keys of the BatchError in err.
func failedKeys(t *testing.T, err error) []string {
	t.Helper()
	var batch *cache.BatchError
	if !errors.As(err, &batch) {
		t.Fatalf("%v is no BatchError", err)
	}
	var keys []string
	for _, f := range batch.Failed {
		keys = append(keys, f.Key)
	}
	slices.Sort(keys)
	return keys
}

func TestPartialBatches(t *testing.T) {
	ctx := t.Context()
	fallback, native := newFake(), newRich()
	for name, tt := range map[string]struct {
		fake    *fake
		backend cache.Backend
	}{"fallback": {fallback, fallback}, "native": {native.fake, native}} {
		t.Run(name, func(t *testing.T) {
			c := cache.New(tt.backend, cache.WithPrefix("p:"))
			must(t, c.Set(ctx, "good", []byte("v")))
			tt.fake.fail = failOn("bad", errDown)

			err := c.SetMany(ctx, map[string][]byte{"good2": nil, "bad1": nil, "bad2": nil})
			if got := failedKeys(t, err); !slices.Equal(got, []string{"bad1", "bad2"}) {
				t.Errorf("SetMany blames %q", got)
			}
			if _, ok := tt.fake.data["p:good2"]; !ok {
				t.Error("SetMany did not store the good key")
			}
			results, err := c.GetMany(ctx, "bad1", "good")
			if got := failedKeys(t, err); !slices.Equal(got, []string{"bad1"}) || !errors.Is(err, errDown) {
				t.Errorf("GetMany blames %q: %v", got, err)
			}
			if len(results) != 2 || results[0].OK || !results[1].OK {
				t.Errorf("GetMany = %v; want the hit in spite of the error", results)
			}
			deleted, err := c.DeleteMany(ctx, "bad1", "good")
			if got := failedKeys(t, err); !slices.Equal(got, []string{"bad1"}) || !slices.Equal(deleted, []string{"good"}) {
				t.Errorf("DeleteMany = %q and blames %q", deleted, got)
			}
		})
	}
}

// After an outage the keys that follow are skipped.
func TestFallbackStopsAtTheFirstFatalError(t *testing.T) {
	for _, fatal := range []error{cache.ErrUnavailable, cache.ErrClosed, cache.ErrAuth} {
		backend := newFake()
		backend.fail = failOn("", fatal)
		_, err := cache.New(backend).GetMany(t.Context(), "a", "b", "c")
		if got := failedKeys(t, err); len(got) != 3 || backend.calls != 1 {
			t.Errorf("%v: %d calls, %q blamed; want 1 call and all keys", fatal, backend.calls, got)
		}
	}
}

func TestFallbackStopsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	backend := newFake()
	backend.fail = func(string) error { cancel(); return nil }
	_, err := cache.New(backend).GetMany(ctx, "a", "b", "c")
	if got := failedKeys(t, err); !slices.Equal(got, []string{"b", "c"}) || !errors.Is(err, context.Canceled) {
		t.Errorf("blames %q: %v", got, err)
	}
}

// A value that cannot be decoded or encoded fails its key alone.
func TestTypedBatches(t *testing.T) {
	ctx := t.Context()
	backend := newRich()
	c := cache.New(backend, cache.WithPrefix("p:"))
	must(t, c.SetMany(ctx, map[string][]byte{"good": []byte("1"), "text": []byte("x")}))
	backend.fail = failOn("bad", errDown)
	numbers := cache.Of[int](c)
	results, err := numbers.GetMany(ctx, "good", "text", "bad")
	if got := failedKeys(t, err); !slices.Equal(got, []string{"bad", "text"}) || !errors.Is(err, cache.ErrCorrupt) || !errors.Is(err, errDown) {
		t.Errorf("GetMany blames %q: %v", got, err)
	}
	if results[0] != (cache.Result[int]{Value: 1, OK: true}) || results[1].OK || results[2].OK {
		t.Errorf("GetMany = %v", results)
	}
	err = cache.Of[any](c).SetMany(ctx, map[string]any{"good2": 1, "chan": make(chan int), "bad": 1})
	if got := failedKeys(t, err); !slices.Equal(got, []string{"bad", "chan"}) {
		t.Errorf("SetMany blames %q: %v", got, err)
	}
	if _, ok := backend.data["p:good2"]; !ok {
		t.Error("SetMany did not store the good value")
	}
}
