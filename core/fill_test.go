package cache_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	cache "github.com/cachebackends/cachebackends/core"
)

// hanging is a store whose calls hang until their context ends, while it is on.
type hanging struct {
	*fake
	on atomic.Bool
}

func (h *hanging) hang(ctx context.Context) error {
	if !h.on.Load() {
		return nil
	}
	<-ctx.Done()
	return fmt.Errorf("%w: %w", cache.ErrUnavailable, ctx.Err())
}

func (h *hanging) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if err := h.hang(ctx); err != nil {
		return nil, false, err
	}
	return h.fake.Get(ctx, key)
}

func (h *hanging) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	if err := h.hang(ctx); err != nil {
		return false, err
	}
	return h.fake.Add(ctx, key, value, ttl)
}

// Rule FIL-1 of the contract.
func TestGetOrSetNeverZeroWithoutError(t *testing.T) {
	for name, options := range map[string][]cache.Option{"strict": nil, "ignoring errors": {cache.WithIgnoreErrors()}} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			backend := newFake()
			backend.fail = func(string) error { cancel(); return nil } // the context ends during a clean miss
			got, err := cache.Of[int](cache.New(backend, options...)).GetOrSet(ctx, "k", func(context.Context) (int, error) { return 1, nil })
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

// Rule FIL-7 of the contract.
func TestGetOrSetSharesTimeBetweenStoreAndLoad(t *testing.T) {
	for name, options := range map[string][]cache.Option{"strict": nil, "ignoring errors": {cache.WithIgnoreErrors()}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				backend := &hanging{fake: newFake()}
				backend.on.Store(true)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				begin := time.Now()
				got, err := cache.Of[int](cache.New(backend, options...)).GetOrSet(ctx, "k", func(context.Context) (int, error) {
					if took := time.Since(begin); took != 500*time.Millisecond {
						t.Errorf("load began after %v, want half of the time", took)
					}
					time.Sleep(499 * time.Millisecond)
					return 1, nil
				})
				if got != 1 || err != nil {
					t.Errorf("got %v, %v", got, err)
				}
			})
		})
	}
	t.Run("hanging when the value is stored", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			backend := &hanging{fake: newFake()}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			begin := time.Now()
			got, err := cache.Of[int](cache.New(backend)).GetOrSet(ctx, "k", func(context.Context) (int, error) {
				backend.on.Store(true)
				return 1, nil
			})
			if took := time.Since(begin); got != 1 || err != nil || took != 500*time.Millisecond {
				t.Errorf("got %v, %v after %v", got, err, took)
			}
		})
	})
}

// Rules FIL-2 and FIL-3 of the contract, for each operation that writes.
func TestWritesEndLoads(t *testing.T) {
	for name, tt := range map[string]struct {
		write func(c *cache.Cache, ctx context.Context) error
		want  string // what Get finds after the load; empty: a miss
	}{
		"Set":    {func(c *cache.Cache, ctx context.Context) error { return c.Set(ctx, "k", []byte("new")) }, "new"},
		"Add":    {func(c *cache.Cache, ctx context.Context) error { _, err := c.Add(ctx, "k", []byte("new")); return err }, "new"},
		"Delete": {func(c *cache.Cache, ctx context.Context) error { _, err := c.Delete(ctx, "k"); return err }, ""},
		"Inc":    {func(c *cache.Cache, ctx context.Context) error { _, err := c.Inc(ctx, "k", 5); return err }, "5"},
		"Dec":    {func(c *cache.Cache, ctx context.Context) error { _, err := c.Dec(ctx, "k", 5); return err }, "-5"},
		"Clear":  {func(c *cache.Cache, ctx context.Context) error { return c.Clear(ctx) }, ""},
		"SetMany": {func(c *cache.Cache, ctx context.Context) error {
			return c.SetMany(ctx, map[string][]byte{"j": nil, "k": []byte("new")})
		}, "new"},
		"DeleteMany":    {func(c *cache.Cache, ctx context.Context) error { _, err := c.DeleteMany(ctx, "j", "k"); return err }, ""},
		"Set of a view": {func(c *cache.Cache, ctx context.Context) error { return cache.Of[string](c).Set(ctx, "k", "new") }, "new"},
		"SetMany of a view": {func(c *cache.Cache, ctx context.Context) error {
			return cache.Of[string](c).SetMany(ctx, map[string]string{"k": "new"})
		}, "new"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				c := cache.New(newRich(), cache.WithPrefix("p:"))
				v := cache.Of[string](c)
				var callers sync.WaitGroup
				for range 2 {
					callers.Go(func() {
						got, err := v.GetOrSet(ctx, "k", func(context.Context) (string, error) { time.Sleep(time.Second); return "old", nil })
						if got != "old" || err != nil {
							t.Errorf("a caller that waited got %q, %v", got, err)
						}
					})
				}
				synctest.Wait()
				must(t, tt.write(c, ctx))
				fresh, err := v.GetOrSet(ctx, "k", func(context.Context) (string, error) { return "fresh", nil })
				if want := tt.want; err != nil || want != "" && fresh != want || want == "" && fresh != "fresh" {
					t.Errorf("a later caller got %q, %v", fresh, err)
				}
				if tt.want == "" {
					must(t, tt.write(c, ctx))
				}
				callers.Wait()
				if got, ok, err := v.Get(ctx, "k"); got != tt.want || ok != (tt.want != "") || err != nil {
					t.Errorf("after the load the cache holds %q, %v, %v; want %q", got, ok, err, tt.want)
				}
			})
		})
	}
}

// slowAdd holds back the storing of a loaded value until release is closed.
type slowAdd struct {
	*fake
	adding, release chan struct{}
}

func (s *slowAdd) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	close(s.adding)
	<-s.release
	return s.fake.Add(ctx, key, value, ttl)
}

// A Delete during the storing of a loaded value takes effect after it.
func TestDeleteWaitsForTheFill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		backend := &slowAdd{newFake(), make(chan struct{}), make(chan struct{})}
		c := cache.New(backend)
		go cache.Of[string](c).GetOrSet(ctx, "k", func(context.Context) (string, error) { return "old", nil })
		<-backend.adding
		deleted := make(chan bool, 1)
		go func() {
			ok, err := c.Delete(ctx, "k")
			deleted <- ok && err == nil
		}()
		synctest.Wait()
		if len(deleted) > 0 {
			t.Error("Delete did not wait")
		}
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if _, err := c.Delete(short, "k"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a second Delete, while the first waits: %v", err)
		}
		close(backend.release)
		if !<-deleted {
			t.Error("Delete found nothing")
		}
		if _, ok, _ := c.Get(ctx, "k"); ok {
			t.Error("the value was stored after the Delete")
		}
	})
}

// Rule FIL-4 of the contract: another process has stored a value during the load.
func TestFillDoesNotOverwrite(t *testing.T) {
	ctx := t.Context()
	backend := newFake()
	got, err := cache.Of[string](cache.New(backend)).GetOrSet(ctx, "k", func(context.Context) (string, error) {
		return "loaded", backend.Set(ctx, "k", []byte("theirs"), 0)
	})
	if got != "loaded" || err != nil || string(backend.data["k"]) != "theirs" {
		t.Errorf("got %q, %v and stored %q", got, err, backend.data["k"])
	}
}

// Rule FIL-5 of the contract.
func TestSharedLoadsShareNoMemory(t *testing.T) {
	type pair struct{ Values []int }
	for name, backend := range map[string]cache.Backend{"keeps memory": newFake(), "copies": copying{newFake()}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := cache.New(backend)
				bytes := share(t, cache.Of[[]byte](c), "bytes", []byte("value"), func(b []byte) *byte { return &b[0] })
				pairs := share(t, cache.Of[pair](c), "pair", pair{[]int{1}}, func(p pair) *int { return &p.Values[0] })
				pointers := share(t, cache.Of[*pair](c), "pointer", &pair{[]int{1}}, func(p *pair) *int { return &p.Values[0] })
				if !bytes || !pairs || !pointers {
					t.Errorf("bytes %v, structs %v, pointers %v", bytes, pairs, pointers)
				}
			})
		})
	}
}

// copying declares that it shares no memory.
type copying struct{ *fake }

func (copying) CopiesValues() bool { return true }

func (c copying) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	return c.fake.Add(ctx, key, append([]byte{}, value...), ttl)
}

// share reports whether four callers that share a load share no memory.
func share[T any, M comparable](t *testing.T, v cache.View[T], key string, loaded T, memory func(T) M) bool {
	var mu sync.Mutex
	seen := make(map[M]bool)
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			got, err := v.GetOrSet(t.Context(), key, func(context.Context) (T, error) { time.Sleep(time.Second); return loaded, nil })
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			seen[memory(got)] = true
		})
	}
	callers.Wait()
	return len(seen) == 4
}

// Rule FIL-6 of the contract.
func TestRecursiveLoad(t *testing.T) {
	type key = string
	ask := func(v cache.View[int], ctx context.Context, keys ...key) (int, error) {
		var load func(ctx context.Context, keys []key) (int, error)
		load = func(ctx context.Context, keys []key) (int, error) {
			if len(keys) == 0 {
				return 1, nil
			}
			return v.GetOrSet(ctx, keys[0], func(ctx context.Context) (int, error) { return load(ctx, keys[1:]) })
		}
		return load(ctx, keys)
	}
	synctest.Test(t, func(t *testing.T) {
		v := cache.Of[int](cache.New(newFake()))
		for _, keys := range [][]key{{"a", "a"}, {"a", "b", "a"}, {"a", "b", "b"}} {
			if _, err := ask(v, t.Context(), keys...); !errors.Is(err, cache.ErrRecursiveLoad) {
				t.Errorf("%q: %v", keys, err)
			}
		}
		if got, err := ask(v, t.Context(), "c", "d"); got != 1 || err != nil {
			t.Errorf("without a circle: %v, %v", got, err)
		}
		if got, err := ask(v, t.Context(), "a"); got != 1 || err != nil {
			t.Errorf("a later load of the same key: %v, %v", got, err)
		}
	})
	t.Run("around two callers", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			v := cache.Of[int](cache.New(newFake()))
			var recursive atomic.Int32
			var callers sync.WaitGroup
			for _, keys := range [][2]key{{"a", "b"}, {"b", "a"}} {
				callers.Go(func() {
					_, err := v.GetOrSet(t.Context(), keys[0], func(ctx context.Context) (int, error) {
						time.Sleep(time.Second) // until the other is under way
						return v.GetOrSet(ctx, keys[1], func(context.Context) (int, error) { return 1, nil })
					})
					if errors.Is(err, cache.ErrRecursiveLoad) {
						recursive.Add(1)
					}
				})
			}
			callers.Wait()
			if recursive.Load() == 0 {
				t.Error("no caller got ErrRecursiveLoad")
			}
		})
	})
	t.Run("after a write of the key", func(t *testing.T) {
		c := cache.New(newFake())
		v := cache.Of[int](c)
		loads := 0
		var load func(ctx context.Context) (int, error)
		load = func(ctx context.Context) (int, error) {
			loads++
			c.Delete(ctx, "k")
			return v.GetOrSet(ctx, "k", load)
		}
		if _, err := v.GetOrSet(t.Context(), "k", load); !errors.Is(err, cache.ErrRecursiveLoad) || loads != 1 {
			t.Errorf("%v after %d loads", err, loads)
		}
	})
	t.Run("the same key of another cache", func(t *testing.T) {
		outer, inner := cache.Of[int](cache.New(newFake())), cache.Of[int](cache.New(newFake()))
		got, err := outer.GetOrSet(t.Context(), "k", func(ctx context.Context) (int, error) {
			return inner.GetOrSet(ctx, "k", func(context.Context) (int, error) { return 1, nil })
		})
		if got != 1 || err != nil {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

// Rule FIL-8 of the contract.
func TestPanicOfLoadReachesEveryCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := cache.Of[int](cache.New(newFake()))
		var recovered atomic.Int32
		var callers sync.WaitGroup
		for range 3 {
			callers.Go(func() {
				defer func() {
					if recover() == http.ErrAbortHandler {
						recovered.Add(1)
					}
				}()
				v.GetOrSet(t.Context(), "k", func(context.Context) (int, error) { time.Sleep(time.Second); panic(http.ErrAbortHandler) })
			})
		}
		callers.Wait()
		if recovered.Load() != 3 {
			t.Errorf("%d of 3 callers recovered the error of load", recovered.Load())
		}
	})
	defer func() {
		err, _ := recover().(error)
		var cause interface{ RuntimeError() }
		if !errors.As(err, &cause) {
			t.Errorf("recovered %v; want it to wrap the error of the runtime", err)
		}
	}()
	var none map[string]int
	cache.Of[int](cache.New(newFake())).GetOrSet(t.Context(), "k", func(context.Context) (int, error) { none["x"]++; return 1, nil })
}

// Rule FIL-9 of the contract.
func TestOneMissIsOneRead(t *testing.T) {
	backend := newFake()
	var misses, reads atomic.Int32
	c := cache.New(backend, cache.WithObserver(func(_ context.Context, e cache.Event) {
		misses.Add(int32(e.Misses))
		if e.Op == "get" {
			reads.Add(1)
		}
	}))
	cache.Of[int](c).GetOrSet(t.Context(), "k", func(context.Context) (int, error) { return 1, nil })
	if misses.Load() != 1 || reads.Load() != 1 || backend.calls != 2 {
		t.Errorf("%d misses, %d reads observed, %d calls of the store; want 1, 1 and 2", misses.Load(), reads.Load(), backend.calls)
	}
}

// lateMiss returns its first misses only when a load has ended in between.
type lateMiss struct {
	*fake
	asked   atomic.Int32
	release chan struct{}
}

func (l *lateMiss) Get(ctx context.Context, key string) ([]byte, bool, error) {
	value, ok, err := l.fake.Get(ctx, key)
	if l.asked.Add(1) == 2 {
		<-l.release
	}
	return value, ok, err
}

// A caller whose read missed before a load ended finds the value that the load has
// stored.
func TestLateCallerDoesNotLoadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := &lateMiss{fake: newFake(), release: make(chan struct{})}
		v := cache.Of[int](cache.New(backend))
		var loads atomic.Int32
		load := func(context.Context) (int, error) { loads.Add(1); time.Sleep(time.Second); return 1, nil }
		var callers sync.WaitGroup
		for range 2 {
			callers.Go(func() {
				if got, err := v.GetOrSet(t.Context(), "k", load); got != 1 || err != nil {
					t.Errorf("got %v, %v", got, err)
				}
			})
			synctest.Wait()
		}
		time.Sleep(2 * time.Second) // the load has ended
		close(backend.release)
		callers.Wait()
		if loads.Load() != 1 {
			t.Errorf("%d loads", loads.Load())
		}
	})
}

// Concurrent loads and writes of a few keys, with callers that leave: for -race, and
// for the invariants afterwards.
func TestLoadsAndWritesAtOnce(t *testing.T) {
	c := cache.New(newRich())
	v := cache.Of[[]byte](c)
	var callers sync.WaitGroup
	for worker := range 8 {
		callers.Go(func() {
			for i := range 300 {
				key := fmt.Sprint(i % 3)
				ctx, cancel := context.WithCancel(t.Context())
				switch (worker + i) % 5 {
				case 0:
					c.Delete(ctx, key)
				case 1:
					c.Clear(ctx)
				case 2:
					go cancel()
					fallthrough
				default:
					got, err := v.GetOrSet(ctx, key, func(context.Context) ([]byte, error) { return []byte("value"), nil })
					if err == nil && string(got) != "value" {
						t.Errorf("got %q", got)
					}
					for i := range got {
						got[i] = 'X'
					}
				}
				cancel()
			}
		})
	}
	callers.Wait()
}

// A load that every caller has left stores nothing: no flight would record that a write
// has made its value stale.
func TestAbandonedLoadStoresNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := cache.New(newFake())
		v := cache.Of[string](c)
		ctx, cancel := context.WithCancel(t.Context())
		release := make(chan struct{})
		_, err := v.GetOrSet(ctx, "k", func(context.Context) (string, error) { cancel(); <-release; return "stale", nil })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if _, err := c.Delete(t.Context(), "k"); err != nil {
			t.Error(err)
		}
		fresh, err := v.GetOrSet(t.Context(), "k", func(context.Context) (string, error) {
			close(release)
			synctest.Wait() // until the abandoned load has ended
			return "fresh", nil
		})
		if got, _, _ := v.Get(t.Context(), "k"); fresh != "fresh" || err != nil || got != "fresh" {
			t.Errorf("got %q, %v and the cache holds %q", fresh, err, got)
		}
	})
}

// Rule RES-1 of the contract: a load that outlives its first caller does not use the memory
// of that caller's key.
func TestLoadKeepsItsOwnKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := cache.New(newFake())
		v := cache.Of[string](c)
		buffer := []byte("key-1")
		ctx, cancel := context.WithCancel(t.Context())
		release := make(chan struct{})
		load := func(context.Context) (string, error) { <-release; return "value", nil }
		first := make(chan error)
		go func() { _, err := v.GetOrSet(ctx, unsafe.String(&buffer[0], len(buffer)), load); first <- err }()
		synctest.Wait()
		second := make(chan string)
		go func() { value, _ := v.GetOrSet(t.Context(), "key-1", load); second <- value }()
		synctest.Wait()
		cancel()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		copy(buffer, "key-2")
		close(release)
		if value := <-second; value != "value" {
			t.Errorf("the second caller got %q", value)
		}
		for key, want := range map[string]bool{"key-1": true, "key-2": false} {
			if _, ok, err := c.Get(t.Context(), key); ok != want || err != nil {
				t.Errorf("%s: %v, %v; want %v", key, ok, err, want)
			}
		}
	})
}

// A caller that did not wait for the end of a slow fill deletes the key.
func TestDeleteWaitsForAFillThatNobodyWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := &slowAdd{newFake(), make(chan struct{}), make(chan struct{})}
		c := cache.New(backend)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		got, err := cache.Of[string](c).GetOrSet(ctx, "k", func(context.Context) (string, error) { return "stale", nil })
		if got != "stale" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		time.AfterFunc(time.Minute, func() { close(backend.release) })
		if _, err := c.Delete(t.Context(), "k"); err != nil {
			t.Error(err)
		}
		if _, ok, _ := c.Get(t.Context(), "k"); ok {
			t.Error("the value was stored after the Delete")
		}
	})
}

// A store that is slow or down is read once per call, whatever other callers do.
func TestOneReadPerCallOfAFailingStore(t *testing.T) {
	for name, fail := range map[string]error{"reads fail": cache.ErrUnavailable, "loads fail": nil} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				backend := &slowGet{fake: newFake(), err: fail}
				v := cache.Of[int](cache.New(backend))
				var callers sync.WaitGroup
				for i := range 200 {
					callers.Go(func() {
						time.Sleep(time.Duration(i) * time.Millisecond)
						v.GetOrSet(t.Context(), "k", func(context.Context) (int, error) { return 1, errDown })
					})
				}
				callers.Wait()
				if n := backend.reads.Load(); n != 200 {
					t.Errorf("%d reads in 200 calls", n)
				}
			})
		})
	}
}

// slowGet takes 100 ms per read.
type slowGet struct {
	*fake
	err   error
	reads atomic.Int32
}

func (s *slowGet) Get(context.Context, string) ([]byte, bool, error) {
	s.reads.Add(1)
	time.Sleep(100 * time.Millisecond)
	return nil, false, s.err
}

// slowCopying copies values when it gets to them.
type slowCopying struct{ copying }

func (s slowCopying) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	time.Sleep(time.Minute)
	return s.copying.Add(context.WithoutCancel(ctx), key, value, ttl)
}

// The caller owns its value although it is still being stored.
func TestCallerOwnsItsValueDuringTheFill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := cache.New(slowCopying{copying{newFake()}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		got, err := cache.Of[[]byte](c).GetOrSet(ctx, "k", func(context.Context) ([]byte, error) { return []byte("good"), nil })
		must(t, err)
		copy(got, "EVIL")
		time.Sleep(2 * time.Minute)
		if stored, _, _ := c.Get(t.Context(), "k"); string(stored) != "good" {
			t.Errorf("stored %q", stored)
		}
	})
}

// A view that encodes does not share the memory of a load of one that does not.
func TestViewsOfBothKindsShareNoLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := cache.New(newRich())
		load := func(context.Context) (*[]int, error) { time.Sleep(time.Second); return &[]int{1}, nil }
		var kept, encoded *[]int
		var callers sync.WaitGroup
		callers.Go(func() { kept, _ = cache.Of[*[]int](c, cache.WithoutEncoding()).GetOrSet(t.Context(), "k", load) })
		synctest.Wait()
		callers.Go(func() { encoded, _ = cache.Of[*[]int](c).GetOrSet(t.Context(), "k", load) })
		callers.Wait()
		if kept == nil || encoded == nil || kept == encoded {
			t.Errorf("%p, %p", kept, encoded)
		}
	})
}

// What the observer or a later goroutine does with the context of a load is not part
// of the load.
func TestContextOutlivesItsLoad(t *testing.T) {
	var c *cache.Cache
	var kept context.Context
	load := func(ctx context.Context) (int, error) { kept = context.WithoutCancel(ctx); return 1, nil }
	observed := make(chan error, 1)
	c = cache.New(newFake(), cache.WithObserver(func(ctx context.Context, e cache.Event) {
		if e.Op == "add" {
			c.Delete(ctx, "k")
			_, err := cache.Of[int](c).GetOrSet(ctx, "k", func(context.Context) (int, error) { return 2, errDown })
			observed <- err
		}
	}))
	_, err := cache.Of[int](c).GetOrSet(t.Context(), "k", load)
	must(t, err)
	if err := <-observed; !errors.Is(err, errDown) {
		t.Errorf("from the observer: %v", err)
	}
	if _, err := cache.Of[int](c).GetOrSet(kept, "k", func(context.Context) (int, error) { return 3, errDown }); !errors.Is(err, errDown) {
		t.Errorf("with the context of a load that has ended: %v", err)
	}
}

// panickingAdd is a backend that panics when it stores.
type panickingAdd struct{ *fake }

func (panickingAdd) Add(context.Context, string, []byte, time.Duration) (bool, error) { panic("no") }

func TestPanicOfTheBackendReachesTheCaller(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	cache.Of[int](cache.New(panickingAdd{newFake()})).GetOrSet(t.Context(), "k", func(context.Context) (int, error) { return 1, nil })
}
