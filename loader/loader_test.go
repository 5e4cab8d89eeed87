package loader

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/cachetest"
	"github.com/cachebackends/cachebackends/core/driver"
)

// The rules that users can run are in package loadertest. The tests here are about what
// only this package can see.

var errSource = errors.New("the source is down")

func TestPolicy(t *testing.T) {
	for name, p := range map[string]Policy{
		"Fresh":   {},
		"Stale":   {Fresh: 1, Stale: -1},
		"Early":   {Fresh: 1, Early: 1},
		"Jitter":  {Fresh: 1, Jitter: math.NaN()},
		"Loads":   {Fresh: 1, Loads: -1},
		"Lease":   {Fresh: 1, Lease: 2 * time.Minute},
		"Rescue":  {Fresh: math.MaxInt64 - 1, Stale: 1, Rescue: 1},
		"Backoff": {Backoff: -1},
	} {
		err := p.Validate()
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%+v: %v, want an error that names %s", p, err, name)
		}
		func() {
			defer func() {
				if p := recover(); p == nil || fmt.Sprint(p) != err.Error() {
					t.Errorf("New panics with %v, want %v", p, err)
				}
			}()
			New(cache.New(cachetest.NewStore()), p, constant)
		}()
	}
	if err := (Policy{Backoff: -1}).Validate(); !strings.Contains(err.Error(), "Fresh") {
		t.Errorf("%v does not name both fields", err)
	}
	if err := (Policy{Fresh: math.MaxInt64 - 2, Stale: 1, Rescue: 1, Lease: time.Minute, Early: 0.5, Jitter: 0.99}).Validate(); err != nil {
		t.Error(err)
	}
}

// The longest life does not overflow.
func TestLongestLife(t *testing.T) {
	l := testLoader(t, cachetest.NewStore(), Policy{Fresh: time.Hour, Stale: math.MaxInt64 - time.Hour}, func(ctx context.Context, key string) (string, error) {
		Life(ctx, math.MaxInt64)
		return key, nil
	})
	for range 2 {
		if value, err := l.Get(t.Context(), "k"); value != "k" || err != nil {
			t.Errorf("Get = %q, %v", value, err)
		}
	}
}

// OnError receives every failure of a load once. It does not receive missing values, nor
// loads that all callers have left.
func TestOnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var reported []string
		fail := error(nil)
		l := New(cache.New(cachetest.NewStore()), Policy{
			Fresh: time.Minute, Stale: time.Hour, Limit: time.Second,
			OnError: func(_ context.Context, key string, err error) {
				mu.Lock()
				defer mu.Unlock()
				text, _, _ := strings.Cut(err.Error(), "\n")
				reported = append(reported, key+": "+text)
			},
		}, func(ctx context.Context, key string) (string, error) {
			switch key {
			case "panic":
				panic("oh")
			case "late":
				<-ctx.Done()
				return "", ctx.Err()
			case "exit":
				runtime.Goexit()
			}
			return key, fail
		})
		ctx := t.Context()
		want := func(what ...string) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if fmt.Sprint(reported) != fmt.Sprint(what) {
				t.Errorf("reported %q, want %q", reported, what)
			}
			reported = nil
		}
		_, _ = l.Get(ctx, "k")
		want()
		time.Sleep(2 * time.Minute)
		fail = errSource
		if value, err := l.Get(ctx, "k"); value != "k" || err != nil {
			t.Errorf("Get of a stale value = %q, %v", value, err)
		}
		want("k: the source is down")
		fail = fmt.Errorf("no row: %w", ErrMissing)
		_, _ = l.Get(ctx, "absent")
		want()
		if _, err := l.Get(ctx, "late"); !errors.Is(err, ErrLate) {
			t.Errorf("Get = %v, want ErrLate", err)
		}
		want("late: load exceeded its limit")
		if _, err := l.Get(ctx, "exit"); !errors.Is(err, errGoexit) {
			t.Errorf("Get = %v, want %v", err, errGoexit)
		}
		want("exit: " + errGoexit.Error())
		func() {
			defer func() {
				if p, ok := recover().(error); !ok || !strings.Contains(p.Error(), "oh") || !strings.Contains(p.Error(), "loader_test.go") {
					t.Errorf("recovered %v, want the panic with its stack", p)
				}
			}()
			_, _ = l.Get(ctx, "panic")
		}()
		want("panic: loader: load panicked: oh")
		short, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		if _, err := l.Get(short, "late"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Get = %v, want DeadlineExceeded", err)
		}
		want()
		l.Close()
	})
}

// All callers that wait panic with the value of the panic of load.
func TestPanicOfSharedLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(cache.New(cachetest.NewStore()), Policy{Fresh: time.Minute}, func(context.Context, string) (string, error) {
			time.Sleep(time.Second)
			panic(http.ErrAbortHandler)
		})
		defer l.Close()
		panics := make(chan any, 3)
		for range cap(panics) {
			go func() {
				defer func() { panics <- recover() }()
				_, _ = l.Get(t.Context(), "k")
			}()
		}
		for range cap(panics) {
			if p := <-panics; p != http.ErrAbortHandler {
				t.Errorf("recovered %v", p)
			}
		}
		func() { // no flight of a batch remains
			defer func() { _ = recover() }()
			_, _ = l.GetMany(t.Context(), "a", "b")
		}()
		synctest.Wait()
		l.flights.mu.Lock()
		defer l.flights.mu.Unlock()
		if n := len(l.flights.byKey); n != 0 {
			t.Errorf("%d flights are left", n)
		}
	})
}

// If the store or its observer panics, the callers panic and the load ends.
func TestPanicOfStore(t *testing.T) {
	s := cachetest.NewStore()
	s.OnCall(func(_ context.Context, op, _ string) error {
		if op == "add" {
			panic(http.ErrAbortHandler)
		}
		return nil
	})
	one := testLoader(t, s, Policy{Fresh: time.Minute}, constant)
	many := NewMany(cache.New(s), Policy{Fresh: time.Minute}, func(_ context.Context, keys []string) (map[string]string, error) {
		return map[string]string{"a": "a", "b": "b"}, nil
	})
	defer many.Close()
	for name, get := range map[string]func(){
		"Get":     func() { _, _ = one.Get(t.Context(), "k") },
		"GetMany": func() { _, _ = many.GetMany(t.Context(), "a", "b") },
	} {
		func() {
			defer func() {
				if p := recover(); p != http.ErrAbortHandler {
					t.Errorf("%s: recovered %v", name, p)
				}
			}()
			get()
		}()
	}
}

// A remembered failure outlives neither its backoff nor Close.
func TestBackoffEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(cache.New(cachetest.NewStore()), Policy{Fresh: time.Minute, Backoff: time.Hour}, func(context.Context, string) (string, error) {
			return "", errSource
		})
		for i := range 10 {
			_, _ = l.Get(t.Context(), fmt.Sprint(i))
		}
		remembered := func() int {
			synctest.Wait()
			l.flights.mu.Lock()
			defer l.flights.mu.Unlock()
			return len(l.flights.byKey)
		}
		if n := remembered(); n != 10 {
			t.Errorf("%d failures are remembered, want 10", n)
		}
		time.Sleep(time.Hour)
		if n := remembered(); n != 0 {
			t.Errorf("%d failures are remembered after the backoff", n)
		}
		_, _ = l.Get(t.Context(), "k")
		l.Close()
		if n := remembered(); n != 0 {
			t.Errorf("%d failures are remembered after Close", n)
		}
	})
}

// A caller whose read missed before another load was stored does not load again.
func TestReadBeforeTheEndOfALoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := cachetest.NewStore()
		calls := 0
		l := New(cache.New(s), Policy{Fresh: time.Minute}, func(_ context.Context, key string) (string, error) {
			calls++
			return key, nil
		})
		defer l.Close()
		l.store = newStore[string](cache.New(slowRead{s, new(atomic.Bool)}), nil)
		go func() {
			time.Sleep(time.Millisecond)
			_, _ = l.Get(t.Context(), "k")
		}()
		// The slow read begins first and ends after the load of the other caller.
		if value, err := l.Get(t.Context(), "k"); value != "k" || err != nil {
			t.Errorf("Get = %q, %v", value, err)
		}
		if calls != 1 {
			t.Errorf("%d loads, want 1", calls)
		}
	})
}

// slowRead returns what the first read has found after a second.
type slowRead struct {
	*cachetest.Store
	slept *atomic.Bool
}

func (s slowRead) Get(ctx context.Context, key string) ([]byte, bool, error) {
	value, ok, err := s.Store.Get(ctx, key)
	if !s.slept.Swap(true) {
		time.Sleep(time.Second)
	}
	return value, ok, err
}

// plain hides the optional methods.
type plain struct{ driver.Backend }

// A wrapper of a store that encodes does not keep values.
func TestWrapperThatEncodes(t *testing.T) {
	c := cache.New(driver.Resolve(plain{cachetest.NewStore()}))
	l := New(c, Policy{Fresh: time.Minute}, constant, cache.WithoutEncoding())
	defer l.Close()
	for range 2 {
		if value, err := l.Get(t.Context(), "k"); value != "value of k" || err != nil {
			t.Errorf("Get = %q, %v", value, err)
		}
	}
	if l.store.keeps {
		t.Error("values are kept")
	}
}

// Outside of a load, the functions for loads do nothing.
func TestOutsideOfALoad(t *testing.T) {
	Life(t.Context(), time.Second)
	NoStore(t.Context())
	Tag(t.Context(), "red")
	if ctx := For(t.Context(), "k"); ctx != t.Context() {
		t.Error("For changes a context that is not of a load")
	}
}

// A caller that gets an older value returns before the load ends. The failure of the load
// is remembered anyway.
func TestBackoffAfterRescue(t *testing.T) {
	for range 200 {
		var calls atomic.Int32
		l := New(cache.New(cachetest.NewStore()), Policy{Fresh: 1, Rescue: time.Hour, Backoff: time.Hour}, func(context.Context, string) (string, error) {
			if calls.Add(1) > 1 {
				return "", errSource
			}
			return "value", nil
		})
		for range 4 {
			if value, err := l.Get(t.Context(), "k"); value != "value" || err != nil {
				t.Fatalf("Get = %q, %v", value, err)
			}
		}
		l.Close()
		if n := calls.Load(); n != 2 {
			t.Fatalf("%d loads, want 2", n)
		}
	}
}

// A key of a batch that all callers have left is neither loaded nor reported.
func TestAbandonedKeyOfABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := cachetest.NewStore()
		c := cache.New(s)
		var loaded []string
		l := NewMany(c, Policy{Fresh: time.Hour, Lease: time.Minute, Backoff: time.Hour,
			OnError: func(_ context.Context, key string, err error) { t.Errorf("%s: %v", key, err) },
		}, func(_ context.Context, keys []string) (map[string]string, error) {
			loaded = append(loaded, keys...)
			return map[string]string{"a": "a", "b": "b"}, nil
		})
		defer l.Close()
		for _, key := range []string{"a", "b"} { // another process loads them
			if _, _, token, err := c.Lease(t.Context(), key, time.Second); token == "" || err != nil {
				t.Fatal(token, err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		waits := make(chan error)
		go func() {
			time.Sleep(time.Millisecond)
			_, err := l.Get(t.Context(), "b")
			waits <- err
		}()
		_, err := l.GetMany(ctx, "a", "b")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("GetMany = %v, want DeadlineExceeded", err)
		}
		if err := <-waits; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if fmt.Sprint(loaded) != "[b]" {
			t.Errorf("loaded %v, want b", loaded)
		}
	})
}

// If a stale entry is removed while its load gets a lease, the value is filled under the
// lease of the entry. No lease remains.
func TestRemovedBeforeItsLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		s := cachetest.NewStore()
		l := New(cache.New(s), Policy{Fresh: time.Hour, Stale: time.Hour, Lease: time.Minute}, constant)
		defer l.Close()
		if _, err := l.Get(ctx, "k"); err != nil {
			t.Fatal(err)
		}
		if err := l.Expire(ctx, "k"); err != nil {
			t.Fatal(err)
		}
		s.OnCall(func(_ context.Context, op, key string) error {
			if op == "lease" && key == leasePrefix+"k" {
				_, err := s.Delete(ctx, "k")
				return err
			}
			return nil
		})
		if _, err := l.Get(ctx, "k"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if ok, err := l.store.cache.Has(ctx, "k"); !ok || err != nil {
			t.Errorf("Has = %v, %v: the value was not stored", ok, err)
		}
		if _, _, token, err := l.store.cache.Lease(ctx, leasePrefix+"k", time.Second); token == "" || err != nil {
			t.Errorf("Lease = %q, %v: a lease remains", token, err)
		}
	})
}
