package cache_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

func TestOperations(t *testing.T) {
	ctx := t.Context()
	for name, backend := range map[string]cache.Backend{"six methods": newFake(), "all interfaces": newRich()} {
		t.Run(name, func(t *testing.T) {
			c := cache.New(backend, cache.WithPrefix("p:"))
			if value, ok, err := c.Get(ctx, "k"); value != nil || ok || err != nil {
				t.Errorf("Get of an absent key = %q, %v, %v", value, ok, err)
			}
			must(t, c.Set(ctx, "k", []byte("v")))
			if value, ok, err := c.Get(ctx, "k"); string(value) != "v" || !ok || err != nil {
				t.Errorf("Get = %q, %v, %v", value, ok, err)
			}
			if dst, ok, err := c.GetAppend(ctx, "k", []byte("dst:")); string(dst) != "dst:v" || !ok || err != nil {
				t.Errorf("GetAppend = %q, %v, %v", dst, ok, err)
			}
			if ok, err := c.Has(ctx, "k"); !ok || err != nil {
				t.Errorf("Has = %v, %v", ok, err)
			}
			if added, err := c.Add(ctx, "k", nil); added || err != nil {
				t.Errorf("Add over a present key = %v, %v", added, err)
			}
			if deleted, err := c.Delete(ctx, "k"); !deleted || err != nil {
				t.Errorf("Delete = %v, %v", deleted, err)
			}
			if added, err := c.Add(ctx, "k", nil); !added || err != nil {
				t.Errorf("Add = %v, %v", added, err)
			}
			if value, ok, err := c.Get(ctx, "k"); value == nil || len(value) > 0 || !ok || err != nil {
				t.Errorf("Get of an empty value = %#v, %v, %v; want a non-nil empty slice", value, ok, err)
			}
			must(t, c.Ping(ctx))
		})
	}
}

// Operations without a fallback return errors.ErrUnsupported.
func TestWithoutFallback(t *testing.T) {
	ctx := t.Context()
	c := cache.New(newFake(), cache.WithPrefix("p:"))
	_, errInc := c.Inc(ctx, "k", 1)
	_, _, errTTL := c.TTL(ctx, "k")
	for verb, err := range map[string]error{"inc": errInc, "ttl": errTTL, "clear a prefix": c.Clear(ctx)} {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v; want ErrUnsupported", verb, err)
		}
	}
}

func TestFallbackOnUnsupported(t *testing.T) {
	ctx := t.Context()
	backend := newRich()
	backend.unsupported = errors.ErrUnsupported
	c := cache.New(backend)
	must(t, c.SetMany(ctx, map[string][]byte{"a": []byte("1"), "b": []byte("2")}))
	if ok, err := c.Has(ctx, "a"); !ok || err != nil {
		t.Errorf("Has = %v, %v", ok, err)
	}
	if hits, err := c.GetDict(ctx, "a", "b", "c"); len(hits) != 2 || err != nil {
		t.Errorf("GetDict = %v, %v", hits, err)
	}
	if deleted, err := c.DeleteMany(ctx, "a", "b", "c"); len(deleted) != 2 || err != nil {
		t.Errorf("DeleteMany = %v, %v", deleted, err)
	}
}

func TestPrefix(t *testing.T) {
	ctx := t.Context()
	backend := newRich()
	a, b := cache.New(backend, cache.WithPrefix("a:")), cache.New(backend, cache.WithPrefix("b:"))
	must(t, a.Set(ctx, "k", []byte("of a")))
	must(t, b.SetMany(ctx, map[string][]byte{"k": []byte("of b")}))
	if string(backend.data["a:k"]) != "of a" || string(backend.data["b:k"]) != "of b" {
		t.Errorf("stored %q; want prefix + key, verbatim", backend.data)
	}
	must(t, a.Clear(ctx))
	if _, ok, _ := b.Get(ctx, "k"); !ok || len(backend.data) != 1 {
		t.Errorf("Clear of a: left %q; want what is b's", backend.data)
	}
}

func TestTimeouts(t *testing.T) {
	ctx := t.Context()
	for _, tt := range []struct {
		name    string
		options []cache.Option
		call    []cache.SetOption
		want    time.Duration
	}{
		{"default", nil, nil, 300 * time.Second},
		{"default of the cache", []cache.Option{cache.WithDefaultTimeout(time.Hour)}, nil, time.Hour},
		{"never by default", []cache.Option{cache.WithDefaultTimeout(0)}, nil, 0},
		{"of the call", nil, []cache.SetOption{cache.Timeout(time.Second)}, time.Second},
		{"never", nil, []cache.SetOption{cache.Timeout(0)}, 0},
		{"the last counts", nil, []cache.SetOption{cache.Timeout(0), cache.Timeout(2)}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			backend := newRich()
			c := cache.New(backend, tt.options...)
			must(t, c.Set(ctx, "set", nil, tt.call...))
			_, err := c.Add(ctx, "add", nil, tt.call...)
			must(t, err)
			must(t, c.SetMany(ctx, map[string][]byte{"many": nil}, tt.call...))
			_, err = c.Inc(ctx, "inc", 1, tt.call...)
			must(t, err)
			must(t, cache.Of[bool](c).Set(ctx, "view", true, tt.call...))
			must(t, cache.Of[bool](c, cache.WithoutEncoding()).Set(ctx, "kept", true, tt.call...))
			for _, key := range []string{"set", "add", "many", "inc", "view", "kept"} {
				if got := backend.ttls[key]; got != tt.want {
					t.Errorf("%s: ttl %v, want %v", key, got, tt.want)
				}
			}
		})
	}
}

// every calls each verb of a cache and of its views once.
func every(ctx context.Context, c *cache.Cache, key string, options ...cache.SetOption) map[string]error {
	errs := make(map[string]error)
	_, _, errs["get"] = c.Get(ctx, key)
	_, _, errs["get append"] = c.GetAppend(ctx, key, nil)
	errs["set"] = c.Set(ctx, key, nil, options...)
	_, errs["add"] = c.Add(ctx, key, nil, options...)
	_, errs["delete"] = c.Delete(ctx, key)
	_, errs["has"] = c.Has(ctx, key)
	_, _, errs["ttl"] = c.TTL(ctx, key)
	_, errs["inc"] = c.Inc(ctx, key, 1, options...)
	_, errs["dec"] = c.Dec(ctx, key, 1, options...)
	_, errs["get many"] = c.GetMany(ctx, "other", key)
	_, errs["get dict"] = c.GetDict(ctx, "other", key)
	errs["set many"] = c.SetMany(ctx, map[string][]byte{"other": nil, key: nil}, options...)
	_, errs["delete many"] = c.DeleteMany(ctx, "other", key)
	for name, view := range map[string]cache.View[int]{"view ": cache.Of[int](c), "kept ": cache.Of[int](c, cache.WithoutEncoding())} {
		_, _, errs[name+"get"] = view.Get(ctx, key)
		errs[name+"set"] = view.Set(ctx, key, 1, options...)
		_, errs[name+"add"] = view.Add(ctx, key, 1, options...)
		_, errs[name+"get many"] = view.GetMany(ctx, "other", key)
		_, errs[name+"get dict"] = view.GetDict(ctx, "other", key)
		errs[name+"set many"] = view.SetMany(ctx, map[string]int{"other": 1, key: 1}, options...)
		_, errs[name+"get or set"] = view.GetOrSet(ctx, key, func(context.Context) (int, error) { return 1, nil }, options...)
	}
	return errs
}

func TestArgumentsAreCheckedBeforeAnyCall(t *testing.T) {
	done, cancel := context.WithCancel(t.Context())
	cancel()
	stores := map[string]bool{"set": true, "add": true, "inc": true, "dec": true, "set many": true, "get or set": true}
	for _, tt := range []struct {
		name    string
		ctx     context.Context
		key     string
		options []cache.SetOption
		verbs   map[string]bool // nil for all
		want    error
	}{
		{"empty key", t.Context(), "", nil, nil, cache.ErrInvalidKey},
		{"done context", done, "k", nil, nil, context.Canceled},
		{"negative timeout", t.Context(), "k", []cache.SetOption{cache.Timeout(-time.Nanosecond)}, stores, cache.ErrInvalidTimeout},
		{"smallest timeout", t.Context(), "k", []cache.SetOption{cache.Timeout(math.MinInt64)}, stores, cache.ErrInvalidTimeout},
	} {
		for _, ignore := range []bool{false, true} {
			backend := newRich()
			var options []cache.Option
			if ignore {
				options = append(options, cache.WithIgnoreErrors())
			}
			c := cache.New(backend, options...)
			for verb, err := range every(tt.ctx, c, tt.key, tt.options...) {
				concerned := tt.verbs == nil || tt.verbs[verb] || tt.verbs[verb[min(5, len(verb)):]]
				if concerned && !errors.Is(err, tt.want) {
					t.Errorf("%s: %s: %v; want %v (ignoring errors: %v)", tt.name, verb, err, tt.want, ignore)
				}
			}
			if tt.verbs == nil && backend.calls > 0 {
				t.Errorf("%s: the backend was called %d times", tt.name, backend.calls)
			}
			if len(backend.data)+len(backend.values) > 0 {
				t.Errorf("%s: something was stored: %q, %v", tt.name, backend.data, backend.values)
			}
		}
	}
}

func TestClosed(t *testing.T) {
	c := cache.New(newRich(), cache.WithIgnoreErrors())
	must(t, c.Close())
	must(t, c.Close())
	errs := every(t.Context(), c, "k")
	errs["clear"] = c.Clear(t.Context())
	errs["ping"] = c.Ping(t.Context())
	for verb, err := range errs {
		if !errors.Is(err, cache.ErrClosed) {
			t.Errorf("%s after Close: %v; want ErrClosed", verb, err)
		}
	}
}

func TestCopies(t *testing.T) {
	ctx := t.Context()
	c := cache.New(newFake())
	mine := []byte("abc")
	must(t, c.Set(ctx, "set", mine))
	must(t, c.SetMany(ctx, map[string][]byte{"many": mine}))
	_, err := c.Add(ctx, "add", mine)
	must(t, err)
	must(t, cache.Of[[]byte](c).Set(ctx, "view", mine))
	mine[0] = 'X'
	for _, key := range []string{"set", "many", "add", "view"} {
		value, _, err := c.Get(ctx, key)
		must(t, err)
		if string(value) != "abc" {
			t.Errorf("%s: stored %q changed with the caller's slice", key, value)
		}
		value[0] = 'Y'
		viewed, _, err := cache.Of[[]byte](c).Get(ctx, key)
		must(t, err)
		viewed[0] = 'Y'
		results, err := c.GetMany(ctx, key)
		must(t, err)
		results[0].Value[0] = 'Y'
		if again, _, _ := c.Get(ctx, key); !bytes.Equal(again, []byte("abc")) {
			t.Errorf("%s: stored %q changed with the slice of a Get", key, again)
		}
	}
}

func TestDec(t *testing.T) {
	ctx := t.Context()
	c := cache.New(newRich())
	if sum, err := c.Dec(ctx, "k", 3); sum != -3 || err != nil {
		t.Errorf("Dec of an absent key = %v, %v; want -3", sum, err)
	}
	if sum, err := c.Inc(ctx, "k", 5); sum != 2 || err != nil {
		t.Errorf("Inc = %v, %v; want 2", sum, err)
	}
	if _, err := c.Dec(ctx, "k", math.MinInt64); !errors.Is(err, cache.ErrNotInteger) {
		t.Errorf("Dec of the smallest integer: %v; want ErrNotInteger", err)
	}
}

func TestSetAllocations(t *testing.T) {
	backend := newFake()
	c := cache.New(backend)
	ctx := t.Context()
	value := []byte("v")
	with := testing.AllocsPerRun(100, func() { c.Set(ctx, "k", value, cache.Timeout(time.Minute)) })
	without := testing.AllocsPerRun(100, func() { c.Set(ctx, "k", value) })
	if with != without {
		t.Errorf("Timeout costs %v allocations, %v without", with, without)
	}
	view := testing.AllocsPerRun(100, func() { cache.Of[int](c).Cache() })
	if view != 0 {
		t.Errorf("Of costs %v allocations", view)
	}
}
