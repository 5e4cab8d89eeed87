package guard_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/guard"
)

func TestStateIsVisible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		s := newStore()
		var ops []string
		var causes []error
		c := cache.New(ours(servers{s}, options), cache.WithObserver(func(_ context.Context, e cache.Event) {
			if strings.HasPrefix(e.Op, "breaker_") {
				ops, causes = append(ops, e.Op), append(causes, e.Err)
			}
		}))
		check := func(want string) {
			t.Helper()
			if stats, err := c.Stats(ctx); err != nil || stats.State != want || stats.Entries != -1 {
				t.Errorf("Stats = %+v, %v, want the state %s", stats, err, want)
			}
		}
		check("closed")
		s.failWith(errRefused)
		for range 2 * options.Faults {
			c.Get(ctx, "a:k")
		}
		check("open")
		if len(ops) != 1 || ops[0] != "breaker_open" || !errors.Is(causes[0], cache.ErrUnavailable) || !strings.Contains(causes[0].Error(), "of a after") {
			t.Errorf("events %q, %v", ops, causes)
		}
		time.Sleep(options.Pause)
		s.onCall(func(ctx context.Context, op, key string) error {
			check("half-open")
			return nil
		})
		c.Get(ctx, "a:k")
		check("closed")
		if want := []string{"breaker_open", "breaker_closed"}; !slices.Equal(ops, want) || causes[1] != nil {
			t.Errorf("events %q, %v, want %q", ops, causes, want)
		}
	})
}

// The deadline of a caller that leaves the store most of the budget counts: otherwise
// a breaker would never open if every caller had such a deadline.
func TestDeadlinesOfCallersCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		b := ours(s, options)
		s.onCall(hang)
		for range options.Faults {
			ctx, cancel := context.WithTimeout(t.Context(), options.Budget/2)
			b.Get(ctx, "k")
			cancel()
		}
		if _, _, err := b.Get(t.Context(), "k"); !strings.Contains(err.Error(), "circuit breaker is open") {
			t.Errorf("after %d timeouts: %v", options.Faults, err)
		}
	})
}

// A server that does not notice the end of a context had all of the budget, although the
// deadline of its caller has passed too when the call returns.
func TestDeadlineOfCallerAfterTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		b := ours(s, options)
		s.onCall(func(ctx context.Context, _, _ string) error {
			time.Sleep(2 * options.Budget)
			return ctx.Err()
		})
		for range options.Faults {
			ctx, cancel := context.WithTimeout(t.Context(), options.Budget+time.Millisecond)
			if _, _, err := b.Get(ctx, "k"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Get after the deadline of its caller: %v", err)
			}
			cancel()
		}
		if !isOpen(t, b) {
			t.Errorf("the breaker is closed after %d calls that had all of their budget", options.Faults)
		}
	})
}

// Without a budget a call may take any time: the deadline of its caller says nothing about
// the store.
func TestDeadlinesOfCallersWithoutBudget(t *testing.T) {
	without := options
	without.Budget = guard.NoBudget
	for name, test := range map[string]struct {
		options guard.Options
		call    func(ctx context.Context, b *driver.Operations) error
	}{
		"Clear":       {options, func(ctx context.Context, b *driver.Operations) error { return b.Clear(ctx) }},
		"ClearPrefix": {options, func(ctx context.Context, b *driver.Operations) error { return b.ClearPrefix(ctx, "p") }},
		"NoBudget":    {without, func(ctx context.Context, b *driver.Operations) error { return b.Set(ctx, "k", nil, 0) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStore()
				b := ours(s, test.options)
				s.onCall(hang)
				for range options.Faults {
					ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
					if err := test.call(ctx, driver.Resolve(b)); !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("got %v, want the deadline of the caller", err)
					}
					cancel()
				}
				s.failWith(nil)
				if isOpen(t, b) {
					t.Error("the deadlines of callers have opened the breaker")
				}
			})
		})
	}
}

// After Close every call returns ErrClosed, also while a breaker is open.
func TestCloseWhileOpen(t *testing.T) {
	for name, wrap := range map[string]func(*store) driver.Backend{
		"one place":      func(s *store) driver.Backend { return s },
		"several places": func(s *store) driver.Backend { return servers{s} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, s := t.Context(), newStore()
				b := driver.Resolve(ours(wrap(s), options))
				s.failWith(errRefused)
				for range options.Faults {
					b.Get(ctx, "a:k")
					b.Ping(ctx) // has no place
				}
				if err := b.Close(); err != nil {
					t.Fatal(err)
				}
				_, _, errGet := b.Get(ctx, "a:k")
				_, errMany := b.GetMany(ctx, []string{"a:k", "b:k"})
				_, errScan := scan(ctx, b)
				for op, err := range map[string]error{
					"Get": errGet, "GetMany": errMany, "Scan": errScan, "Ping": b.Ping(ctx), "Clear": b.Clear(ctx),
					"Set": b.Set(ctx, "a:k", nil, 0), "SetMany": b.SetMany(ctx, []driver.Item{{Key: "a:k"}}, 0),
				} {
					if !errors.Is(err, driver.ErrClosed) || errors.Is(err, driver.ErrUnavailable) {
						t.Errorf("%s after Close: %v", op, err)
					}
				}
			})
		})
	}
}

func TestStatsAfterClose(t *testing.T) {
	b := ours(newStore(), options)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := driver.Resolve(b).Stats(t.Context()); !errors.Is(err, driver.ErrClosed) {
		t.Errorf("Stats after Close: %v", err)
	}
}

func TestClearHasNoBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		b := ours(s, options)
		s.onCall(func(ctx context.Context, _, _ string) error {
			select {
			case <-time.After(time.Minute):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		if err := b.Clear(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestOptions(t *testing.T) {
	for want, o := range map[string]guard.Options{
		"Budget": {Budget: -2}, "Faults": {Faults: -1}, "Pause": {Pause: -time.Second}, "Share": {Share: 1.5}, "Window": {Window: time.Microsecond},
	} {
		if _, err := guard.New(newStore(), o); !errors.Is(err, driver.ErrInvalidSettings) || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want an error that names %s", o, err, want)
		}
	}
	if _, err := guard.New(nil, guard.Options{}); !errors.Is(err, driver.ErrInvalidSettings) {
		t.Errorf("without a backend: %v", err)
	}
	b := ours(newStore(), guard.Options{Budget: guard.NoBudget})
	if _, _, err := b.Get(t.Context(), "k"); err != nil {
		t.Error(err)
	}
	if name := driver.Resolve(b).Name(); name != "guard(cachetest)" {
		t.Errorf("the name is %s", name)
	}
}

func init() {
	driver.Register(driver.Info{Types: []string{"guarded"}, Open: func(_ context.Context, s *driver.Settings) (driver.Backend, error) {
		return newStore(), s.Check(nil)
	}})
}

func TestSettings(t *testing.T) {
	open := func(options any) (*cache.Cache, error) {
		return cache.Open(t.Context(), cache.FromMap(map[string]any{"CACHE_TYPE": "guard", "CACHE_OPTIONS": options}))
	}
	for _, options := range []any{
		map[string]any{"inner": map[string]any{"CACHE_TYPE": "guarded"}, "budget": "50ms"},
		`{"inner": {"CACHE_TYPE": "guarded"}, "budget": "50ms", "faults": 3, "pause": 2, "share": 0.5, "window": "1m"}`,
	} {
		c, err := open(options)
		if err != nil {
			t.Fatal(err)
		}
		if c.Name() != "guard(cachetest)" {
			t.Errorf("the name is %s", c.Name())
		}
	}
	for options, want := range map[string]string{
		`{"budget": "50ms"}`: "CACHE_OPTIONS.inner",
		`{"inner": {"CACHE_TYPE": "guarded", "CACHE_X": 1}}`: "CACHE_OPTIONS.inner.CACHE_X",
		`{"inner": {"CACHE_TYPE": "guarded"}, "faults": 0}`:  "CACHE_OPTIONS.faults",
		`{"inner": {"CACHE_TYPE": "guarded"}, "fault": 5}`:   "did you mean CACHE_OPTIONS.faults",
	} {
		if _, err := open(options); !errors.Is(err, cache.ErrInvalidSettings) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", options, err, want)
		}
	}
}

// present is a store that has every key.
type present struct{ driver.Backend }

func (present) Get(context.Context, string) ([]byte, bool, error) { return nil, true, nil }

func BenchmarkGet(b *testing.B) {
	s := newStore()
	s.failWith(errRefused)
	open := ours(s, guard.Options{})
	for range 10 {
		open.Get(b.Context(), "k")
	}
	for name, backend := range map[string]driver.Backend{
		"inner": present{s}, "guard": ours(present{s}, guard.Options{}), "open": open,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			ctx := b.Context()
			for b.Loop() {
				backend.Get(ctx, "k")
			}
		})
	}
}
