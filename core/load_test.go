package cache_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

func TestGetOrSet(t *testing.T) {
	ctx := t.Context()
	v := cache.Of[int](cache.New(newFake()))
	loads := 0
	load := func(context.Context) (int, error) { loads++; return 42, nil }
	for range 3 {
		if got, err := v.GetOrSet(ctx, "k", load); got != 42 || err != nil {
			t.Errorf("GetOrSet = %v, %v", got, err)
		}
	}
	if loads != 1 {
		t.Errorf("%d loads, want 1", loads)
	}
}

func TestGetOrSetErrorOfLoad(t *testing.T) {
	backend := newFake()
	v := cache.Of[int](cache.New(backend))
	_, err := v.GetOrSet(t.Context(), "k", func(context.Context) (int, error) { return 7, errDown })
	if err != errDown || len(backend.data) > 0 {
		t.Errorf("got %v and stored %q; want the error as it is and nothing stored", err, backend.data)
	}
}

func TestGetOrSetLoadsOnceAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := cache.Of[int](cache.New(newFake()))
		var loads atomic.Int32
		var callers sync.WaitGroup
		for range 100 {
			callers.Go(func() {
				got, err := v.GetOrSet(t.Context(), "k", func(context.Context) (int, error) {
					time.Sleep(time.Second)
					return int(loads.Add(1)), nil
				})
				if got != 1 || err != nil {
					t.Errorf("GetOrSet = %v, %v; want what the one load returned", got, err)
				}
			})
		}
		callers.Wait()
		if loads.Load() != 1 {
			t.Errorf("%d loads, want 1", loads.Load())
		}
	})
}

// Views of different types do not share loads.
func TestGetOrSetByType(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := cache.New(newFake())
		c.Backend().(*fake).fail = failOn("", errDown) // both must load
		var callers sync.WaitGroup
		callers.Go(func() {
			got, err := cache.Of[int](c).GetOrSet(t.Context(), "k", func(context.Context) (int, error) {
				time.Sleep(time.Second)
				return 1, nil
			})
			if got != 1 || err != nil {
				t.Errorf("int: %v, %v", got, err)
			}
		})
		callers.Go(func() {
			got, err := cache.Of[string](c).GetOrSet(t.Context(), "k", func(context.Context) (string, error) {
				time.Sleep(time.Second)
				return "one", nil
			})
			if got != "one" || err != nil {
				t.Errorf("string: %v, %v", got, err)
			}
		})
		callers.Wait()
	})
}

// caller is the key of a value in a context.
type caller struct{}

func TestGetOrSetContexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := cache.Of[int](cache.New(newFake()))
		loadEnded := make(chan error, 1)
		load := func(ctx context.Context) (int, error) {
			if ctx.Value(caller{}) != "first" {
				t.Error("load does not see the values of the first caller's context")
			}
			select {
			case <-time.After(time.Minute):
			case <-ctx.Done():
			}
			loadEnded <- ctx.Err()
			return 1, ctx.Err()
		}
		first, leave := context.WithCancel(context.WithValue(t.Context(), caller{}, "first"))
		second, leaveToo := context.WithTimeout(t.Context(), 30*time.Second)
		defer leaveToo()
		var callers sync.WaitGroup
		callers.Go(func() {
			if _, err := v.GetOrSet(first, "k", load); !errors.Is(err, context.Canceled) {
				t.Errorf("first caller: %v", err)
			}
		})
		synctest.Wait()
		callers.Go(func() {
			if _, err := v.GetOrSet(second, "k", load); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("second caller: %v", err)
			}
		})
		synctest.Wait()
		leave()
		synctest.Wait()
		if len(loadEnded) > 0 {
			t.Error("load was cancelled while a caller waits")
		}
		callers.Wait()
		if err := <-loadEnded; !errors.Is(err, context.Canceled) {
			t.Errorf("load ended with %v; want it cancelled when the last caller left", err)
		}
	})
}

func TestGetOrSetPanic(t *testing.T) {
	v := cache.Of[int](cache.New(newFake()))
	defer func() {
		if p, ok := recover().(error); !ok || !strings.Contains(p.Error(), "boom") || !strings.Contains(p.Error(), "load_test.go") {
			t.Errorf("recovered %v; want the panic of load and its stack", p)
		}
	}()
	v.GetOrSet(t.Context(), "k", func(context.Context) (int, error) { panic("boom") })
}

func TestGetOrSetGoexit(t *testing.T) {
	v := cache.Of[int](cache.New(newFake()))
	_, err := v.GetOrSet(t.Context(), "k", func(context.Context) (int, error) { runtime.Goexit(); return 1, nil })
	if err == nil {
		t.Error("no error although load never returned")
	}
}

func TestGetOrSetWithABrokenCache(t *testing.T) {
	for name, options := range map[string][]cache.Option{"strict": nil, "ignoring": {cache.WithIgnoreErrors()}} {
		t.Run(name, func(t *testing.T) {
			var r recorder
			backend := newFake()
			backend.fail = failOn("", cache.ErrUnavailable)
			c := cache.New(backend, append(options, cache.WithObserver(r.observe))...)
			got, err := cache.Of[int](c).GetOrSet(t.Context(), "k", func(context.Context) (int, error) { return 1, nil })
			if got != 1 || err != nil {
				t.Errorf("GetOrSet = %v, %v; want the loaded value", got, err)
			}
			if len(r.events) != 2 || !errors.Is(r.events[0].Err, cache.ErrUnavailable) || r.events[1].Op != cache.OpLoad {
				t.Errorf("the observer received %+v; a store that fails is called once", r.events)
			}
		})
	}
}

func TestGetOrSetRepairsDamage(t *testing.T) {
	backend := newFake()
	c := cache.New(backend)
	must(t, c.Set(t.Context(), "k", []byte("not a number")))
	if got, err := cache.Of[int](c).GetOrSet(t.Context(), "k", func(context.Context) (int, error) { return 1, nil }); got != 1 || err != nil {
		t.Errorf("GetOrSet = %v, %v", got, err)
	}
	if string(backend.data["k"]) != "1" {
		t.Errorf("stored %q; want the damage repaired", backend.data["k"])
	}
}

func TestGetOrSetUnencodable(t *testing.T) {
	v := cache.Of[any](cache.New(newFake()))
	got, err := v.GetOrSet(t.Context(), "k", func(context.Context) (any, error) { return make(chan int), nil })
	if got == nil || err == nil {
		t.Errorf("GetOrSet = %v, %v; want the value and the error", got, err)
	}
}
