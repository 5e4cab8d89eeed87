package loader

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/cachetest"
)

var update = flag.Bool("update", false, "write the golden files")

// The format must not change: the store has entries of other versions of the program.
func TestFormat(t *testing.T) {
	loaded := time.UnixMicro(1_800_000_000_123_456)
	for name, e := range map[string]entry[string]{
		"value":   {header: header{loaded: loaded, fresh: time.Minute, stale: time.Hour, rescue: 24 * time.Hour, nonce: 0x0102030405060708}, value: "hello"},
		"missing": {header: header{loaded: loaded, fresh: time.Second, nonce: 1, missing: true}},
		"tags": {header: header{loaded: loaded, fresh: time.Minute, nonce: 1<<64 - 1,
			tags: []tag{{"red", 0x1112131415161718}, {"", 1}}}, value: "x"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore[string](cache.New(cachetest.NewStore()), nil)
			if err := s.encode(&e); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name+".hex")
			if *update {
				if err := os.WriteFile(golden, []byte(hex.EncodeToString(e.raw)+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			text, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.TrimSpace(string(text)); hex.EncodeToString(e.raw) != want {
				t.Errorf("the entry is %x, want %s", e.raw, want)
			}
			if got := s.decode(e.raw); !reflect.DeepEqual(got.header, e.header) || got.value != e.value {
				t.Errorf("decoded as %+v, want %+v", got, e)
			}
		})
	}
}

// Bytes that are not an entry are decoded as an expired entry, without a panic.
func FuzzDecode(f *testing.F) {
	s := newStore[string](cache.New(cachetest.NewStore()), nil)
	e := entry[string]{header: header{loaded: time.Now(), fresh: time.Hour, nonce: 1, tags: []tag{{"red", 1}}}, value: "value"}
	if err := s.encode(&e); err != nil {
		f.Fatal(err)
	}
	for n := range e.raw {
		f.Add(e.raw[:n])
	}
	f.Add(e.raw)
	f.Add([]byte("plain"))
	f.Add([]byte(magic + "\x02" + strings.Repeat("\xff", 60)))
	f.Fuzz(func(t *testing.T, data []byte) {
		got := s.decode(bytes.Clone(data))
		if got.phase() == absent {
			return
		}
		again := *got
		if err := s.encode(&again); err != nil {
			t.Fatal(err)
		}
		if second := s.decode(again.raw); !reflect.DeepEqual(second.header, got.header) || second.value != got.value {
			t.Errorf("%x is %+v, encoded again %+v", data, got, second)
		}
	})
}

// Each prefix of an entry is not an entry, except those that cut the value short.
func TestTruncatedEntry(t *testing.T) {
	s := newStore[int](cache.New(cachetest.NewStore()), nil)
	e := entry[int]{header: header{loaded: time.Now(), fresh: time.Hour, nonce: 1, tags: []tag{{"red", 1}}}, value: 7}
	if err := s.encode(&e); err != nil {
		t.Fatal(err)
	}
	for n := range e.raw {
		if got := s.decode(e.raw[:n]); got.phase() != absent {
			t.Errorf("the first %d of %d bytes are %+v", n, len(e.raw), got)
		}
	}
	if got := s.decode(e.raw); got.phase() != fresh || got.value != 7 {
		t.Errorf("the entry is %+v", got)
	}
}

// If clocks differ, an entry is fresh for at most the difference longer. An entry of a
// clock that is far ahead is stale.
func TestClocks(t *testing.T) {
	for _, test := range []struct {
		skew time.Duration // of the clock of the process that has loaded
		age  time.Duration
		want phase
	}{
		{5 * time.Second, 0, fresh},
		{5 * time.Second, time.Minute + 4*time.Second, fresh},
		{5 * time.Second, time.Minute + 5*time.Second, stale},
		{-5 * time.Second, 54 * time.Second, fresh},
		{-5 * time.Second, 55 * time.Second, stale},
		{time.Hour, 0, stale},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := header{loaded: time.Now().Add(test.skew - test.age), fresh: time.Minute, stale: time.Minute}
			if got := h.phase(); got != test.want {
				t.Errorf("skew %v, age %v: phase %v, want %v", test.skew, test.age, got, test.want)
			}
		})
	}
	h := header{loaded: time.Now().Add(time.Hour), fresh: time.Minute, missing: true}
	if h.phase() != absent {
		t.Error("a missing value of a clock that is ahead is remembered")
	}
}

func testLoader(t *testing.T, s *cachetest.Store, p Policy, load func(ctx context.Context, key string) (string, error), options ...cache.ViewOption) *Loader[string] {
	l := New(cache.New(s), p, load, options...)
	t.Cleanup(func() { l.Close() })
	return l
}

func constant(ctx context.Context, key string) (string, error) { return "value of " + key, nil }

// A hit takes one round trip, also for many keys, and two if entries have tags.
func TestRoundTrips(t *testing.T) {
	ctx := t.Context()
	s := cachetest.NewStore()
	plain := testLoader(t, s, Policy{Fresh: time.Hour, Stale: time.Hour, Rescue: time.Hour, Lease: time.Second}, constant)
	tagged := testLoader(t, s, Policy{Fresh: time.Hour}, func(ctx context.Context, key string) (string, error) {
		Tag(ctx, "red", "blue")
		return key, nil
	})
	count := func(what string, want int, f func() error) {
		t.Helper()
		s.Calls()
		if err := f(); err != nil {
			t.Fatal(err)
		}
		if calls := s.Calls(); len(calls) != want {
			t.Errorf("%s: %d calls of the store, want %d: %v", what, len(calls), want, calls)
		}
	}
	get := func(l *Loader[string], key string) func() error {
		return func() error { _, err := l.Get(ctx, key); return err }
	}
	getMany := func(l *Loader[string], keys ...string) func() error {
		return func() error { _, err := l.GetMany(ctx, keys...); return err }
	}
	count("a miss: read, lease, fill", 3, get(plain, "a"))
	count("a hit", 1, get(plain, "a"))
	count("hits of many", 1, getMany(plain, "a", "a"))
	count("a miss with new tags: read, versions, 2 adds, add", 5, get(tagged, "b"))
	count("a miss with known tags: read, versions, add", 3, get(tagged, "c"))
	count("a hit with tags", 2, get(tagged, "b"))
	count("hits of many with tags", 2, getMany(tagged, "b", "c"))
	count("Invalidate", 1, func() error { return Invalidate(ctx, cache.New(s), "red", "blue") })
}

// If the store fails, values are loaded and not stored.
func TestStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		s := cachetest.NewStore()
		var calls atomic.Int32
		l := testLoader(t, s, Policy{Fresh: time.Hour, Stale: time.Hour, Lease: time.Second}, func(ctx context.Context, key string) (string, error) {
			calls.Add(1)
			return key, nil
		})
		fail := func(broken string) {
			s.OnCall(func(_ context.Context, op, _ string) error {
				if strings.Contains(broken, op) {
					return cache.ErrUnavailable
				}
				return nil
			})
		}
		for _, broken := range []string{"get get_many set add lease fill compare_and_swap release delete", "lease", "fill"} {
			fail(broken)
			calls.Store(0)
			for range 2 {
				if value, err := l.Get(ctx, "k"); value != "k" || err != nil {
					t.Errorf("%s fails: Get = %q, %v", broken, value, err)
				}
			}
			if n := calls.Load(); n != 2 {
				t.Errorf("%s fails: %d loads, want 2", broken, n)
			}
			results, err := l.GetMany(ctx, "k", "l")
			if err != nil || results[0].Value != "k" || results[1].Value != "l" {
				t.Errorf("%s fails: GetMany = %v, %v", broken, results, err)
			}
			time.Sleep(time.Second) // the lease ends
		}
		fail("")
		tagged := testLoader(t, s, Policy{Fresh: time.Hour}, func(ctx context.Context, key string) (string, error) {
			Tag(ctx, "red")
			return key, nil
		})
		fail("get_many")
		if value, err := tagged.Get(ctx, "tagged"); value != "tagged" || err != nil {
			t.Errorf("without versions: Get = %q, %v", value, err)
		}
		fail("")
		if ok, err := l.store.cache.Has(ctx, "tagged"); ok || err != nil {
			t.Errorf("a value whose tags have no versions was stored: %v, %v", ok, err)
		}
	})
}

// Mistakes are returned, and nothing is loaded.
func TestMistakes(t *testing.T) {
	l := testLoader(t, cachetest.NewStore(), Policy{Fresh: time.Hour}, func(context.Context, string) (string, error) {
		t.Error("loaded")
		return "", nil
	})
	if _, err := l.Get(t.Context(), ""); !errors.Is(err, cache.ErrInvalidKey) {
		t.Errorf("Get of an empty key: %v", err)
	}
	if _, err := l.GetMany(t.Context(), ""); !errors.Is(err, cache.ErrInvalidKey) {
		t.Errorf("GetMany with an empty key: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Get(ended, "k"); !errors.Is(err, context.Canceled) {
		t.Errorf("Get with an ended context: %v", err)
	}
	if _, err := l.GetMany(ended, "k"); !errors.Is(err, context.Canceled) {
		t.Errorf("GetMany with an ended context: %v", err)
	}
}

func TestUnencodable(t *testing.T) {
	l := New(cache.New(cachetest.NewStore()), Policy{Fresh: time.Hour}, func(context.Context, string) (chan int, error) {
		return make(chan int), nil
	})
	defer l.Close()
	var e *cache.Error
	if _, err := l.Get(t.Context(), "k"); !errors.As(err, &e) || e.Key != "k" {
		t.Errorf("Get of a value that cannot be encoded: %v", err)
	}
}

// lastValue is a store whose hits allocate nothing: it has the value that was added last.
type lastValue struct {
	*cachetest.Store
	value any
}

func (s *lastValue) GetValue(context.Context, string) (any, bool, error) {
	return s.value, s.value != nil, nil
}

func (s *lastValue) AddValue(_ context.Context, _ string, value any, _ time.Duration) (bool, error) {
	s.value = value
	return true, nil
}

func TestHitsAllocateNothing(t *testing.T) {
	l := New(cache.New(&lastValue{Store: cachetest.NewStore()}), Policy{Fresh: time.Hour}, constant, cache.WithoutEncoding())
	defer l.Close()
	if !l.store.keeps {
		t.Fatal("values are encoded")
	}
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() { _, _ = l.Get(ctx, "k") }); n != 0 {
		t.Errorf("%v allocations per hit", n)
	}
}

func BenchmarkHit(b *testing.B) {
	ctx := b.Context()
	c := cache.New(&lastValue{Store: cachetest.NewStore()})
	l := New(c, Policy{Fresh: time.Hour}, constant, cache.WithoutEncoding())
	defer l.Close()
	if _, err := l.Get(ctx, "k"); err != nil {
		b.Fatal(err)
	}
	view := cache.Of[string](c, cache.WithoutEncoding())
	if err := view.Set(ctx, "view", "value"); err != nil {
		b.Fatal(err)
	}
	b.Run("View", func(b *testing.B) {
		for b.Loop() {
			_, _, _ = view.Get(ctx, "view")
		}
	})
	b.Run("Loader", func(b *testing.B) {
		for b.Loop() {
			_, _ = l.Get(ctx, "k")
		}
	})
}
