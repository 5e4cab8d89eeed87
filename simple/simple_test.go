package simple

import (
	"context"
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

func TestThreshold(t *testing.T) {
	for _, test := range []struct {
		name      string
		threshold int
		shards    int
		ok        bool
	}{
		{"default", 0, 1, true},
		{"smallest", 1, 1, true},
		{"last with one shard", 1999, 1, true},
		{"first with two", 2000, 2, true},
		{"large", 1_000_000, maxShards, true},
		{"largest", math.MaxInt, maxShards, true},
		{"no limit", NoLimit, maxShards, true},
		{"negative", -2, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			b, err := New(t.Context(), Options{Threshold: test.threshold})
			if !test.ok {
				want := "CACHE_THRESHOLD (Options.Threshold): -2 is too small: at least -1"
				if !errors.Is(err, driver.ErrInvalidSettings) || !strings.Contains(err.Error(), want) {
					t.Fatalf("New: %v, want %q", err, want)
				}
				return
			}
			must(t, err)
			defer b.Close()
			if len(b.shards) != test.shards {
				t.Errorf("%d shards, want %d", len(b.shards), test.shards)
			}
		})
	}
}

func TestEmptyValues(t *testing.T) {
	b := newBackend(t, 0)
	for name, value := range map[string][]byte{"nil": nil, "empty": {}, "end of a slice": []byte("abc")[3:]} {
		must(t, b.Set(t.Context(), name, value, 0))
		got, ok, err := b.Get(t.Context(), name)
		if got == nil || len(got) != 0 || !ok || err != nil {
			t.Errorf("%s: Get = %#v, %v, %v, want an empty slice", name, got, ok, err)
		}
	}
}

func TestAppendToReadBytesCopies(t *testing.T) {
	b := newBackend(t, 0)
	must(t, b.Set(t.Context(), "key", append(make([]byte, 0, 100), "value"...), 0))
	first, _, _ := b.Get(t.Context(), "key")
	_ = append(first, "+ first"...)
	second, _, _ := b.Get(t.Context(), "key")
	if second = second[:cap(second)]; string(second) != "value" {
		t.Errorf("stored memory is %q after an append by a reader", second)
	}
}

// A *byte of the caller is a Go value: it must not pass for stored bytes.
func TestPointerToByteIsAValue(t *testing.T) {
	b := newBackend(t, 0)
	pointer := new(byte)
	must(t, b.SetValue(t.Context(), "key", pointer, 0))
	if value, ok, err := b.GetValue(t.Context(), "key"); value != any(pointer) || !ok || err != nil {
		t.Errorf("GetValue = %v, %v, %v", value, ok, err)
	}
	if _, _, err := b.Get(t.Context(), "key"); !errors.Is(err, driver.ErrCorrupt) {
		t.Errorf("Get: %v, want ErrCorrupt", err)
	}
}

func TestInc(t *testing.T) {
	for _, test := range []struct {
		name, stored string
		delta, want  int64
		ok           bool
	}{
		{"adds", "40", 2, 42, true},
		{"subtracts below zero", "1", -2, -1, true},
		{"by nothing", "7", 0, 7, true},
		{"to the largest", "9223372036854775806", 1, math.MaxInt64, true},
		{"beyond the largest", "9223372036854775807", 1, 0, false},
		{"to the smallest", "-9223372036854775807", -1, math.MinInt64, true},
		{"beyond the smallest", "-9223372036854775808", -1, 0, false},
		{"text", "forty", 1, 0, false},
		{"empty", "", 1, 0, false},
		{"a number too long", "99999999999999999999", -1, 0, false},
		{"a fraction", "1.5", 1, 0, false},
		{"a plus sign", "+5", 1, 0, false},
		{"leading zeros", "007", 1, 0, false},
		{"minus zero", "-0", 1, 0, false},
		{"a blank", "5 ", 1, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBackend(t, 0)
			must(t, b.Set(t.Context(), "key", []byte(test.stored), time.Hour))
			sum, err := b.Inc(t.Context(), "key", test.delta, time.Minute)
			want := strconv.FormatInt(test.want, 10)
			if test.ok {
				must(t, err)
			} else {
				want = test.stored
				if !errors.Is(err, driver.ErrNotInteger) {
					t.Errorf("Inc: %v, want ErrNotInteger", err)
				}
			}
			if sum != test.want {
				t.Errorf("Inc = %d, want %d", sum, test.want)
			}
			if value, _, _ := b.Get(t.Context(), "key"); string(value) != want {
				t.Errorf("stored is %q, want %q", value, want)
			}
			if left, _, _ := b.TTL(t.Context(), "key"); left <= time.Minute {
				t.Errorf("remaining TTL is %v, want that of the entry", left)
			}
		})
	}
}

func TestClearPrefix(t *testing.T) {
	for _, threshold := range []int{100, NoLimit} {
		b := newBackend(t, threshold)
		for _, key := range []string{"a:1", "a:2", "a", "a*", "b:a:1"} {
			must(t, b.Set(t.Context(), key, nil, 0))
		}
		must(t, b.ClearPrefix(t.Context(), "a:"))
		for key, want := range map[string]bool{"a:1": false, "a:2": false, "a": true, "a*": true, "b:a:1": true} {
			if ok, _ := b.Has(t.Context(), key); ok != want {
				t.Errorf("Has(%q) = %v, want %v", key, ok, want)
			}
		}
		checkShards(t, b)
	}
}

func TestClosed(t *testing.T) {
	ctx := context.Background()
	for _, threshold := range []int{0, NoLimit} {
		b := newBackend(t, threshold)
		must(t, b.Set(ctx, "key", nil, time.Hour))
		must(t, b.Close())
		must(t, b.Close())
		for name, call := range map[string]func() error{
			"Get":         func() error { _, _, err := b.Get(ctx, "key"); return err },
			"GetValue":    func() error { _, _, err := b.GetValue(ctx, "key"); return err },
			"Has":         func() error { _, err := b.Has(ctx, "key"); return err },
			"TTL":         func() error { _, _, err := b.TTL(ctx, "key"); return err },
			"GetWithTTL":  func() error { _, _, _, err := b.GetWithTTL(ctx, "key"); return err },
			"Set":         func() error { return b.Set(ctx, "key", nil, 0) },
			"SetValue":    func() error { return b.SetValue(ctx, "key", 1, 0) },
			"Add":         func() error { _, err := b.Add(ctx, "key", nil, 0); return err },
			"AddValue":    func() error { _, err := b.AddValue(ctx, "key", 1, 0); return err },
			"Inc":         func() error { _, err := b.Inc(ctx, "key", 1, 0); return err },
			"Delete":      func() error { _, err := b.Delete(ctx, "key"); return err },
			"Stats":       func() error { _, err := b.Stats(ctx); return err },
			"Clear":       func() error { return b.Clear(ctx) },
			"ClearPrefix": func() error { return b.ClearPrefix(ctx, "k") },
		} {
			if err := call(); !errors.Is(err, driver.ErrClosed) {
				t.Errorf("%s after Close: %v, want ErrClosed", name, err)
			}
		}
	}
}

// An entry keeps neither the text that its key is a part of, nor a view of a buffer
// that the caller uses again. Rule RES-1.
func TestKeysAreCopied(t *testing.T) {
	value, ctx := []byte("1"), t.Context()
	for name, store := range map[string]func(b *Backend, key string) error{
		"Set":      func(b *Backend, key string) error { return b.Set(ctx, key, value, 0) },
		"Add":      func(b *Backend, key string) error { _, err := b.Add(ctx, key, value, 0); return err },
		"Inc":      func(b *Backend, key string) error { _, err := b.Inc(ctx, key, 1, 0); return err },
		"SetValue": func(b *Backend, key string) error { return b.SetValue(ctx, key, value, 0) },
		"AddValue": func(b *Backend, key string) error { _, err := b.AddValue(ctx, key, value, 0); return err },
		"replace": func(b *Backend, key string) error {
			must(t, b.Set(ctx, strings.Clone(key), value, 0))
			return b.Set(ctx, key, value, 0)
		},
		"replace by Inc": func(b *Backend, key string) error {
			must(t, b.Set(ctx, strings.Clone(key), value, 0))
			_, err := b.Inc(ctx, key, 1, 0)
			return err
		},
		"replace, sooner": func(b *Backend, key string) error {
			must(t, b.Set(ctx, strings.Clone(key), value, time.Hour))
			return b.Set(ctx, key, value, time.Minute)
		},
		"Add over expired": func(b *Backend, key string) error {
			must(t, b.Set(ctx, strings.Clone(key), value, 1))
			time.Sleep(time.Microsecond)
			_, err := b.Add(ctx, key, value, 0)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBackend(t, 0)
			buffer := []byte("user-1")
			must(t, store(b, unsafe.String(&buffer[0], len(buffer))))
			copy(buffer, "user-2")
			if ok, err := b.Has(ctx, "user-1"); !ok || err != nil {
				t.Errorf("Has = %v, %v: the entry has changed with the buffer", ok, err)
			}
			if ok, err := b.Has(ctx, "user-2"); ok || err != nil {
				t.Errorf("Has of the new content of the buffer = %v, %v", ok, err)
			}
			if deleted, err := b.Delete(ctx, "user-1"); !deleted || err != nil {
				t.Errorf("Delete = %v, %v", deleted, err)
			}
		})
	}
}

// A nil of an interface type is a value: a hit, and loaded once.
func TestNilWithoutEncoding(t *testing.T) {
	c, ctx := cache.New(newBackend(t, 0)), t.Context()
	view := cache.Of[error](c, cache.WithoutEncoding())
	must(t, view.Set(ctx, "set", nil))
	added, err := view.Add(ctx, "added", nil)
	if must(t, err); !added {
		t.Error("Add = false")
	}
	loads := 0
	for range 2 {
		got, err := view.GetOrSet(ctx, "loaded", func(context.Context) (error, error) { loads++; return nil, nil })
		if must(t, err); got != nil {
			t.Errorf("GetOrSet = %v", got)
		}
	}
	if loads != 1 {
		t.Errorf("%d loads, want 1", loads)
	}
	keys := []string{"set", "added", "loaded"}
	results, err := view.GetMany(ctx, keys...)
	must(t, err)
	for i, key := range keys {
		if got, ok, err := view.Get(ctx, key); !ok || err != nil || got != nil {
			t.Errorf("Get %s = %v, %v, %v; want nil, true, nil", key, got, ok, err)
		}
		if results[i].Value != nil || !results[i].OK {
			t.Errorf("GetMany: %s is %+v", key, results[i])
		}
	}
	if _, ok, _ := cache.Of[*int](c, cache.WithoutEncoding()).Get(ctx, "set"); ok {
		t.Error("a nil of another type is a hit")
	}
}

func TestAllocations(t *testing.T) {
	b := newBackend(t, 0)
	ctx := t.Context()
	value, end := []byte("value"), time.Hour
	var kept any = &value
	must(t, b.Set(ctx, "bytes", value, end))
	must(t, b.SetValue(ctx, "value", kept, end))
	text := cache.Of[string](cache.New(b))
	must(t, text.Set(ctx, "text", strings.Repeat("x", 1<<10)))
	for _, test := range []struct {
		name string
		want float64
		run  func()
	}{
		{"Get", 0, func() { b.Get(ctx, "bytes") }},
		{"GetValue", 0, func() { b.GetValue(ctx, "value") }},
		{"a string", 0, func() { text.Get(ctx, "text") }},
		{"a miss", 0, func() { b.Get(ctx, "absent") }},
		{"Has", 0, func() { b.Has(ctx, "bytes") }},
		{"TTL", 0, func() { b.TTL(ctx, "bytes") }},
		{"GetWithTTL", 0, func() { b.GetWithTTL(ctx, "bytes") }},
		{"Set", 1, func() { b.Set(ctx, "bytes", value, end) }},
		{"Set of a new key", 2, func() { b.Set(ctx, "new", value, end); b.Delete(ctx, "new") }},
		{"SetValue", 1, func() { b.SetValue(ctx, "value", kept, end) }},
	} {
		if got := testing.AllocsPerRun(100, test.run); got != test.want {
			t.Errorf("%s: %v allocations, want %v", test.name, got, test.want)
		}
	}
}

func TestSettings(t *testing.T) {
	for _, test := range []struct {
		name     string
		settings map[string]any
		limit    int64  // of the Backend
		err      string // instead
		bytes    int64  // bound of the Backend
	}{
		{"default", map[string]any{"CACHE_TYPE": "simple"}, 500, "", 0},
		{"text", map[string]any{"CACHE_TYPE": "SimpleCache", "CACHE_THRESHOLD": "20"}, 20, "", 0},
		{"number", map[string]any{"CACHE_TYPE": "flask_caching.backends.SimpleCache", "CACHE_THRESHOLD": 30}, 30, "", 0},
		{"no limit", map[string]any{"CACHE_TYPE": "simple", "CACHE_THRESHOLD": 0}, math.MaxInt, "", 0},
		{"negative", map[string]any{"CACHE_TYPE": "simple", "CACHE_THRESHOLD": -1}, 0, "CACHE_THRESHOLD: -1 is too small: at least 0", 0},
		{"word", map[string]any{"CACHE_TYPE": "simple", "CACHE_THRESHOLD": "many"}, 0, `CACHE_THRESHOLD: "many" is not a whole number`, 0},
		{"misspelt", map[string]any{"CACHE_TYPE": "simple", "CACHE_TRESHOLD": 5}, 0, "CACHE_TRESHOLD: no such setting; did you mean CACHE_THRESHOLD?", 0},
		{"unknown option", map[string]any{"CACHE_TYPE": "simple", "CACHE_OPTIONS": `{"shards": 2}`}, 0, "CACHE_OPTIONS.shards: no such option", 0},
		{"bytes", map[string]any{"CACHE_TYPE": "simple", "CACHE_MAX_BYTES": "256MiB"}, math.MaxInt, "", 256 << 20},
		{"bytes and entries", map[string]any{"CACHE_TYPE": "simple", "CACHE_MAX_BYTES": 1000000, "CACHE_THRESHOLD": "20"}, 20, "", 1_000_000},
		{"bytes and no limit", map[string]any{"CACHE_TYPE": "simple", "CACHE_MAX_BYTES": "1kB", "CACHE_THRESHOLD": "0"}, math.MaxInt, "", 1000},
		{"no bytes", map[string]any{"CACHE_TYPE": "simple", "CACHE_MAX_BYTES": "0"}, 500, "", 0},
		{"negative bytes", map[string]any{"CACHE_TYPE": "simple", "CACHE_MAX_BYTES": "-1"}, 0, "CACHE_MAX_BYTES: -1 bytes is too small: at least 0", 0},
		{"no size", map[string]any{"CACHE_TYPE": "simple", "CACHE_MAX_BYTES": "big"}, 0, `"big" is not a number of bytes`, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := cache.Open(t.Context(), cache.FromMap(test.settings))
			if test.err != "" {
				if !errors.Is(err, driver.ErrInvalidSettings) || strings.Count(err.Error(), test.err) != 1 {
					t.Fatalf("Open: %v, want %q once", err, test.err)
				}
				return
			}
			must(t, err)
			defer c.Close()
			b := c.Backend().(*Backend)
			if limit := b.limit + int64(len(b.shards)); limit != test.limit {
				t.Errorf("limit is %d, want %d", limit, test.limit)
			}
			if b.room.maxBytes != test.bytes {
				t.Errorf("the bound is %d bytes, want %d", b.room.maxBytes, test.bytes)
			}
		})
	}
}
