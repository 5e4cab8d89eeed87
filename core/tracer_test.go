package cache_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/cachetest"
	"github.com/cachebackends/cachebackends/core/driver"
)

// traces records spans as text: "parent>op".
type traces struct {
	mu    sync.Mutex
	open  map[string]int
	ended []cache.Event
	paths []string // of the spans that have ended
}

type spanKey struct{}

// pathOf returns the spans that ctx is in.
func pathOf(ctx context.Context) string {
	path, _ := ctx.Value(spanKey{}).(string)
	return path
}

func (s *traces) Begin(ctx context.Context, op, backend string) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	if backend == "" {
		panic("no backend")
	}
	path := pathOf(ctx) + ">" + op
	if s.open == nil {
		s.open = map[string]int{}
	}
	s.open[path]++
	return context.WithValue(ctx, spanKey{}, path)
}

func (s *traces) End(ctx context.Context, e cache.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := pathOf(ctx)
	if s.open[path]--; s.open[path] < 0 || !strings.HasSuffix(path, ">"+e.Op) {
		panic(fmt.Sprintf("the event of %s ends the span %s, which is open %d times", e.Op, path, s.open[path]))
	}
	e.Duration = 0
	s.ended, s.paths = append(s.ended, e), append(s.paths, path)
}

// take returns the spans that ended since the last call, and fails if one is open.
func (s *traces) take(t *testing.T) (paths []string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for path, n := range s.open {
		if n != 0 {
			t.Errorf("%d spans %s have not ended", n, path)
		}
	}
	paths = s.paths
	s.paths, s.ended, s.open = nil, nil, nil
	return paths
}

// scannable is a store that lists one entry.
type scannable struct {
	*cachetest.Store
	seen *[]string
}

func (s scannable) Scan(ctx context.Context, prefix string) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		*s.seen = append(*s.seen, pathOf(ctx))
		yield(driver.Entry{Key: prefix + "k"}, nil)
	}
}

// Each operation has one span, in which the backend is called.
func TestSpansOfAllOperations(t *testing.T) {
	ctx := context.WithValue(t.Context(), spanKey{}, "caller")
	calls := map[string]func(c *cache.Cache, kept cache.View[string]) error{}
	add := func(op string, call func(c *cache.Cache, kept cache.View[string]) error) { calls[op] = call }
	add("get", func(c *cache.Cache, _ cache.View[string]) error { _, _, err := c.Get(ctx, "k"); return err })
	add("get append", func(c *cache.Cache, _ cache.View[string]) error { _, _, err := c.GetAppend(ctx, "k", nil); return err })
	add("get kept", func(_ *cache.Cache, v cache.View[string]) error { _, _, err := v.Get(ctx, "kept"); return err })
	add("set", func(c *cache.Cache, _ cache.View[string]) error { return c.Set(ctx, "k", nil) })
	add("set kept", func(_ *cache.Cache, v cache.View[string]) error { return v.Set(ctx, "kept", "") })
	add("add", func(c *cache.Cache, _ cache.View[string]) error { _, err := c.Add(ctx, "k", nil); return err })
	add("add kept", func(_ *cache.Cache, v cache.View[string]) error { _, err := v.Add(ctx, "kept", ""); return err })
	add("delete", func(c *cache.Cache, _ cache.View[string]) error { _, err := c.Delete(ctx, "k"); return err })
	add("has", func(c *cache.Cache, _ cache.View[string]) error { _, err := c.Has(ctx, "k"); return err })
	add("ttl", func(c *cache.Cache, _ cache.View[string]) error { _, _, err := c.TTL(ctx, "k"); return err })
	add("inc", func(c *cache.Cache, _ cache.View[string]) error { _, err := c.Inc(ctx, "n", 1); return err })
	add("dec", func(c *cache.Cache, _ cache.View[string]) error { _, err := c.Dec(ctx, "n", 1); return err })
	add("get_many", func(c *cache.Cache, _ cache.View[string]) error { _, err := c.GetMany(ctx, "k", "l"); return err })
	add("get_dict", func(c *cache.Cache, _ cache.View[string]) error { _, err := c.GetDict(ctx, "k", "l"); return err })
	add("get_many kept", func(_ *cache.Cache, v cache.View[string]) error { _, err := v.GetMany(ctx, "kept", "l"); return err })
	add("set_many", func(c *cache.Cache, _ cache.View[string]) error {
		return c.SetMany(ctx, map[string][]byte{"k": nil, "l": nil})
	})
	add("set_many kept", func(_ *cache.Cache, v cache.View[string]) error {
		return v.SetMany(ctx, map[string]string{"kept": "", "l": ""})
	})
	add("delete_many", func(c *cache.Cache, _ cache.View[string]) error { _, err := c.DeleteMany(ctx, "k", "l"); return err })
	add("clear", func(c *cache.Cache, _ cache.View[string]) error { return c.Clear(ctx) })
	add("ping", func(c *cache.Cache, _ cache.View[string]) error { return c.Ping(ctx) })
	add("stats", func(c *cache.Cache, _ cache.View[string]) error { _, err := c.Stats(ctx); return err })
	add("scan", func(c *cache.Cache, _ cache.View[string]) error {
		for _, err := range c.Scan(ctx, "") {
			return err
		}
		return errors.New("no entries")
	})
	add("lease", func(c *cache.Cache, _ cache.View[string]) error { _, _, _, err := c.Lease(ctx, "k", hold); return err })
	add("lease kept", func(_ *cache.Cache, v cache.View[string]) error {
		_, _, _, err := v.Lease(ctx, "kept", hold)
		return err
	})
	add("fill", func(c *cache.Cache, _ cache.View[string]) error { _, err := c.Fill(ctx, "k", "t", nil); return err })
	add("fill kept", func(_ *cache.Cache, v cache.View[string]) error { _, err := v.Fill(ctx, "kept", "t", ""); return err })
	add("release", func(c *cache.Cache, _ cache.View[string]) error { return c.Release(ctx, "k", "t") })
	add("compare_and_swap", func(c *cache.Cache, _ cache.View[string]) error {
		_, err := c.CompareAndSwap(ctx, "k", nil, nil)
		return err
	})
	add("compare_and_swap kept", func(_ *cache.Cache, v cache.View[string]) error {
		_, err := v.CompareAndSwap(ctx, "kept", "", "")
		return err
	})
	failing := errors.New("down")
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			op, _, _ := strings.Cut(name, " ")
			for _, fault := range []error{nil, failing} {
				var s traces
				var inStore, inObserver []string
				store := cachetest.NewStore()
				store.OnCall(func(ctx context.Context, _, _ string) error {
					inStore = append(inStore, pathOf(ctx))
					return fault
				})
				observe := func(ctx context.Context, _ cache.Event) { inObserver = append(inObserver, pathOf(ctx)) }
				c := cache.New(scannable{store, &inStore}, cache.WithPrefix("p:"), cache.WithTracer(&s), cache.WithObserver(observe))
				kept := cache.Of[string](c, cache.WithoutEncoding())
				err := call(c, kept)
				want := []string{"caller>" + op}
				if op != "scan" && !errors.Is(err, fault) {
					t.Errorf("got %v, want %v", err, fault)
				}
				if inStore = slices.Compact(inStore); !slices.Equal(inStore, want) {
					t.Errorf("the store was called in the spans %q, want %q", inStore, want)
				}
				if !slices.Equal(inObserver, want) {
					t.Errorf("the observer was called in the spans %q, want %q", inObserver, want)
				}
				if got := s.take(t); !slices.Equal(got, want) {
					t.Errorf("got the spans %q, want %q", got, want)
				}
			}
		})
	}
}

// A call that is rejected before it reaches the store has no span. Every span ends.
func TestNoSpanWithoutACall(t *testing.T) {
	done, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tt := range map[string]struct {
		ctx     context.Context
		key     string
		options []cache.SetOption
	}{
		"empty key":        {t.Context(), "", nil},
		"negative timeout": {t.Context(), "k", []cache.SetOption{cache.Timeout(-1)}},
		"done":             {done, "k", nil},
	} {
		t.Run(name, func(t *testing.T) {
			var s traces
			c := cache.New(newLeasing(), cache.WithTracer(&s))
			every(tt.ctx, c, tt.key, tt.options...)
			c.Lease(tt.ctx, tt.key, -1)
			c.Lease(tt.ctx, tt.key, 0)
			c.GetMany(tt.ctx)
			c.SetMany(tt.ctx, nil)
			c.DeleteMany(tt.ctx)
			if name != "negative timeout" {
				c.Ping(done)
				c.Stats(done)
				c.Clear(done)
				for range c.Scan(done, "") {
				}
				if got := s.take(t); len(got) != 0 {
					t.Errorf("got the spans %q, want none", got)
				}
				return
			}
			for _, span := range s.take(t) {
				if slices.Contains([]string{">set", ">add", ">inc", ">dec", ">set_many", ">load", ">lease"}, span) {
					t.Errorf("got the span %s", span)
				}
			}
		})
	}
}

func TestSpanOfAValueThatCannotBeEncoded(t *testing.T) {
	var s traces
	v := cache.Of[chan int](cache.New(newFake(), cache.WithTracer(&s)))
	if err := v.Set(t.Context(), "k", nil); err == nil {
		t.Error("no error")
	}
	if got := s.take(t); !slices.Equal(got, []string{">set"}) {
		t.Errorf("got the spans %q", got)
	}
}

// The spans of a load and of what it calls are in the span of the caller that started it;
// a caller that waits has a span of its own.
func TestSpansOfLoads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s traces
		c, store := cachetest.New(t, cache.WithTracer(&s))
		store.OnCall(func(ctx context.Context, op, _ string) error {
			if !strings.HasSuffix(pathOf(ctx), ">"+op) {
				t.Errorf("the store was called for %s in the span %s", op, pathOf(ctx))
			}
			return nil
		})
		v := cache.Of[int](c)
		load := func(ctx context.Context) (int, error) {
			time.Sleep(time.Second)
			_, _, err := v.Get(ctx, "inner")
			return 1, err
		}
		var callers sync.WaitGroup
		for _, name := range []string{"first", "second"} {
			callers.Go(func() {
				v.GetOrSet(context.WithValue(t.Context(), spanKey{}, name), "k", load, cache.Lease(time.Minute))
			})
			synctest.Wait()
		}
		callers.Wait()
		synctest.Wait()
		want := []string{"first>get", "second>get", "first>lease", "first>load>get", "first>load", "first>fill", "second>wait"}
		got := s.take(t)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("got the spans %q, want %q", got, want)
		}
	})
}

// Each span ends, although the observer receives errors.ErrUnsupported once.
func TestSpansWithoutLeases(t *testing.T) {
	var s traces
	v := cache.Of[int](cache.New(newFake(), cache.WithTracer(&s)))
	for _, key := range []string{"k", "l"} {
		v.GetOrSet(t.Context(), key, func(context.Context) (int, error) { return 1, nil }, cache.Lease(hold))
		if got := s.take(t); !slices.Equal(got, []string{">get", ">lease", ">load", ">add"}) {
			t.Errorf("got the spans %q", got)
		}
	}
}

// Loads that fail, panic or end their goroutine end their spans with an error.
func TestEventsOfFailingLoads(t *testing.T) {
	failure := errors.New("no database")
	for name, load := range map[string]func(context.Context) (int, error){
		"error": func(context.Context) (int, error) { return 0, failure },
		"panic": func(context.Context) (int, error) { panic(failure) },
	} {
		t.Run(name, func(t *testing.T) {
			var s traces
			var loads []error
			observe := func(_ context.Context, e cache.Event) {
				if e.Op == cache.OpLoad {
					loads = append(loads, e.Err)
				}
			}
			v := cache.Of[int](cache.New(newFake(), cache.WithTracer(&s), cache.WithObserver(observe)))
			func() {
				defer func() { recover() }()
				v.GetOrSet(t.Context(), "k", load)
			}()
			if got := s.take(t); !slices.Equal(got, []string{">get", ">load"}) {
				t.Errorf("got the spans %q", got)
			}
			if len(loads) != 1 || loads[0] == nil || name == "error" && loads[0] != failure {
				t.Errorf("the observer received the errors %v", loads)
			}
		})
	}
}

// Refused says that a write had no effect, also the storing of a loaded value.
func TestRefused(t *testing.T) {
	ctx := t.Context()
	var refused []string
	c, _ := cachetest.New(t, cache.WithObserver(func(_ context.Context, e cache.Event) {
		if e.Refused {
			refused = append(refused, e.Op)
		}
	}))
	kept := cache.Of[int](c, cache.WithoutEncoding())
	for range 2 {
		c.Add(ctx, "k", nil)
		kept.Add(ctx, "kept", 1)
	}
	c.Set(ctx, "k", []byte("1"))
	c.Fill(ctx, "k", "none", nil)
	kept.Fill(ctx, "kept", "none", 0)
	c.CompareAndSwap(ctx, "k", []byte("0"), nil)
	c.CompareAndSwap(ctx, "k", []byte("1"), nil)
	kept.CompareAndSwap(ctx, "kept", 2, 3)
	want := []string{"add", "add", "fill", "fill", "compare_and_swap", "compare_and_swap"}
	if !slices.Equal(refused, want) {
		t.Errorf("got %q, want %q", refused, want)
	}
	refused = nil
	for _, options := range [][]cache.SetOption{nil, {cache.Lease(hold)}} {
		cache.Of[int](c).GetOrSet(ctx, "loaded", func(ctx context.Context) (int, error) { return 1, c.Set(context.Background(), "loaded", nil) }, options...)
		c.Delete(ctx, "loaded")
	}
	if want := []string{"add", "fill"}; !slices.Equal(refused, want) {
		t.Errorf("values of loads that a write has ended: got %q, want %q", refused, want)
	}
}

func TestObserversInOrder(t *testing.T) {
	var calls []int
	observer := func(i int) cache.Option {
		return cache.WithObserver(func(context.Context, cache.Event) { calls = append(calls, i) })
	}
	c := cache.New(newFake(), observer(1), observer(2), observer(3))
	c.Get(t.Context(), "k")
	if want := []int{1, 2, 3}; !reflect.DeepEqual(calls, want) {
		t.Errorf("got %v, want %v", calls, want)
	}
}

// A package that extends Cache reports operations of its own.
func TestBeginAndReport(t *testing.T) {
	var s traces
	var r recorder
	c := cache.New(newFake(), cache.WithTracer(&s), cache.WithObserver(r.observe))
	ctx, end := c.Begin(t.Context(), cache.OpLoad)
	if got := pathOf(ctx); got != ">load" {
		t.Errorf("got the span %q", got)
	}
	end(cache.Event{Err: errDown})
	if got, want := r.last(t), (cache.Event{Op: "load", Backend: "cache_test.fake", Err: errDown}); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	c.Report(t.Context(), cache.Event{Op: cache.OpStale})
	if got, want := r.last(t), (cache.Event{Op: "stale", Backend: "cache_test.fake"}); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := s.take(t); !slices.Equal(got, []string{">load"}) {
		t.Errorf("got the spans %q", got)
	}
	buffer := make([]byte, 0, 16)
	observed := cache.New(constant{newRich()}, cache.WithObserver(func(context.Context, cache.Event) {}))
	if n := testing.AllocsPerRun(10, func() { observed.GetAppend(t.Context(), "k", buffer) }); n != 0 {
		t.Errorf("%v allocations of an observer that allocates nothing", n)
	}
	quiet := cache.New(newFake())
	if n := testing.AllocsPerRun(10, func() {
		_, end := quiet.Begin(t.Context(), cache.OpLoad)
		end(cache.Event{})
		quiet.Report(t.Context(), cache.Event{})
	}); n != 0 {
		t.Errorf("%v allocations without an observer", n)
	}
}
