package guard_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/guard"
)

// makeGuard is guard.New, or that of a mutant.
type makeGuard func(inner driver.Backend, o guard.Options) driver.Backend

// rule is one promise of a guard. check returns an error if it is broken; it runs in a
// synctest bubble.
type rule struct {
	id, text string
	check    func(ctx context.Context, makes makeGuard) error
}

var options = guard.Options{Budget: 50 * time.Millisecond, Faults: 5, Pause: time.Second}

var errRefused = fmt.Errorf("%w: connection refused", driver.ErrUnavailable)

// opened returns a guard over s whose breaker has been opened by faults.
func opened(ctx context.Context, makes makeGuard, s *store) driver.Backend {
	b := makes(s, options)
	s.failWith(errRefused)
	for range options.Faults {
		b.Get(ctx, "k")
	}
	return b
}

var rules = []rule{
	{"GRD-1", "an open guard answers at once with ErrUnavailable and sends nothing", func(ctx context.Context, makes makeGuard) error {
		s := newStore()
		b := opened(ctx, makes, s)
		s.failWith(fmt.Errorf("%w: reply lost", driver.ErrUnknownOutcome))
		for range 2 * options.Faults {
			time.Sleep(options.Pause)
			b.Set(ctx, "k", nil, 0) // probes, whose outcome is unknown
		}
		before := s.calls.Load()
		err := b.Set(ctx, "k", nil, 0)
		if !errors.Is(err, driver.ErrUnavailable) || errors.Is(err, driver.ErrUnknownOutcome) {
			return fmt.Errorf("Set of an open guard: %v", err)
		}
		if _, _, err = b.Get(ctx, "k"); !errors.Is(err, driver.ErrUnavailable) {
			return fmt.Errorf("Get of an open guard: %v", err)
		}
		if sent := s.calls.Load() - before; sent != 0 {
			return fmt.Errorf("%d calls were sent", sent)
		}
		return nil
	}},
	{"GRD-2", "misses, mistakes and answers never open it", func(ctx context.Context, makes makeGuard) error {
		for _, err := range []error{
			nil, driver.ErrInvalidKey, driver.ErrTooLarge, driver.ErrInvalidTimeout, driver.ErrNotInteger, driver.ErrCorrupt,
			driver.ErrFull, driver.ErrAuth, driver.ErrClosed, errors.ErrUnsupported,
		} {
			s := newStore()
			b := makes(s, options)
			s.failWith(err)
			for range 2 * options.Faults {
				b.Get(ctx, "absent")
			}
			if n := s.calls.Load(); n != int64(2*options.Faults) {
				return fmt.Errorf("%d of %d calls were sent, each with the result %v", n, 2*options.Faults, err)
			}
		}
		return nil
	}},
	{"GRD-3", "one probe passes per pause", func(ctx context.Context, makes makeGuard) error {
		s := newStore()
		b := opened(ctx, makes, s)
		for range 3 {
			time.Sleep(options.Pause)
			before := s.calls.Load()
			var all sync.WaitGroup
			for range 10 {
				all.Go(func() { b.Get(ctx, "k") })
			}
			all.Wait()
			if n := s.calls.Load() - before; n != 1 {
				return fmt.Errorf("%d calls were sent after a pause", n)
			}
		}
		return nil
	}},
	{"GRD-4", "the budget ends a call that hangs, and is not the caller's deadline", func(ctx context.Context, makes makeGuard) error {
		s := newStore()
		b := makes(s, options)
		s.onCall(hang)
		start := time.Now()
		_, _, err := b.Get(ctx, "k")
		if took := time.Since(start); took != options.Budget {
			return fmt.Errorf("Get took %v", took)
		}
		if !errors.Is(err, driver.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("Get after the budget: %v", err)
		}
		if err := b.Set(ctx, "k", nil, 0); !errors.Is(err, driver.ErrUnknownOutcome) || errors.Is(err, driver.ErrUnavailable) {
			return fmt.Errorf("Set after the budget: %v", err)
		}
		short, cancel := context.WithTimeout(ctx, options.Budget/5)
		defer cancel()
		start = time.Now()
		_, _, err = b.Get(short, "k")
		if took := time.Since(start); took != options.Budget/5 || !errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("Get at the deadline of its caller: %v after %v", err, took)
		}
		return nil
	}},
	{"GRD-5", "Add and Inc of an open guard fail", func(ctx context.Context, makes makeGuard) error {
		s := newStore()
		b := opened(ctx, makes, s)
		s.failWith(nil)
		if added, err := b.Add(ctx, "k", nil, 0); added || !errors.Is(err, driver.ErrUnavailable) {
			return fmt.Errorf("Add = %v, %v", added, err)
		}
		if _, err := driver.Resolve(b).Inc(ctx, "n", 1, 0); !errors.Is(err, driver.ErrUnavailable) {
			return fmt.Errorf("Inc: %v", err)
		}
		return nil
	}},
	{"GRD-6", "faults count only in a row", func(ctx context.Context, makes makeGuard) error {
		s := newStore()
		b := makes(s, options)
		for range 3 {
			s.failWith(errRefused)
			for range options.Faults - 1 {
				b.Get(ctx, "k")
			}
			s.failWith(nil)
			if _, _, err := b.Get(ctx, "k"); err != nil {
				return err
			}
		}
		return nil
	}},
	{"GRD-7", "a probe that fails keeps it open for another pause, one that succeeds closes it", func(ctx context.Context, makes makeGuard) error {
		s := newStore()
		b := opened(ctx, makes, s)
		time.Sleep(options.Pause)
		b.Get(ctx, "k")
		s.failWith(nil)
		time.Sleep(options.Pause - time.Millisecond)
		if _, _, err := b.Get(ctx, "k"); err == nil {
			return errors.New("it closed before the pause after a failed probe had passed")
		}
		time.Sleep(time.Millisecond)
		for range 2 {
			if _, _, err := b.Get(ctx, "k"); err != nil {
				return fmt.Errorf("after a probe that succeeds: %v", err)
			}
		}
		return nil
	}},
	{"GRD-8", "callers who leave decide nothing", func(ctx context.Context, makes makeGuard) error {
		s := newStore()
		b := makes(s, options)
		s.onCall(hang)
		for range 2 * options.Faults {
			short, cancel := context.WithTimeout(ctx, options.Budget/5)
			b.Get(short, "k")
			cancel()
			leaving, leave := context.WithCancel(ctx)
			time.AfterFunc(options.Budget/2, leave)
			b.Get(leaving, "k")
		}
		s.failWith(nil)
		if _, _, err := b.Get(ctx, "k"); err != nil {
			return fmt.Errorf("callers who left opened it: %v", err)
		}
		s = newStore()
		b = opened(ctx, makes, s)
		time.Sleep(options.Pause)
		s.onCall(hang)
		leaving, leave := context.WithCancel(ctx)
		time.AfterFunc(time.Millisecond, leave)
		b.Get(leaving, "k")
		s.failWith(nil)
		if _, _, err := b.Get(ctx, "k"); err != nil {
			return fmt.Errorf("after a probe whose caller left: %v", err)
		}
		return nil
	}},
	{"GRD-9", "a server that is down does not affect the others", func(ctx context.Context, makes makeGuard) error {
		s := newStore()
		b := makes(servers{s}, options)
		s.onCall(func(ctx context.Context, op, key string) error {
			if key[0] == 'b' {
				return hang(ctx, op, key)
			}
			return nil
		})
		for range 2 * options.Faults {
			b.Get(ctx, "b:k")
			if err := b.Set(ctx, "a:k", []byte("v"), 0); err != nil {
				return err
			}
		}
		start := time.Now()
		s.Calls()
		values, err := driver.Resolve(b).GetMany(ctx, []string{"b:1", "a:k", "b:2", "c:k", "b:1"})
		if took := time.Since(start); took != 0 {
			return fmt.Errorf("a batch took %v", took)
		}
		var sent []string
		for _, call := range s.Calls() {
			sent = append(sent, call.Keys...)
		}
		if slices.Sort(sent); string(values[1]) != "v" || !slices.Equal(sent, []string{"a:k", "c:k"}) {
			return fmt.Errorf("a batch returned %q, and the keys %q were sent", values, sent)
		}
		var batch *driver.BatchError
		if !errors.As(err, &batch) || len(batch.Failed) < 2 {
			return fmt.Errorf("a batch with keys of a server that is down: %v", err)
		}
		for _, f := range batch.Failed {
			if f.Key[0] != 'b' || !errors.Is(f.Err, driver.ErrUnavailable) {
				return fmt.Errorf("%s failed: %v", f.Key, f.Err)
			}
		}
		return nil
	}},
	{"GRD-10", "a share of faults within the window opens it", func(ctx context.Context, makes makeGuard) error {
		o := options
		o.Share, o.Window = 0.5, 10*time.Second
		every := func(n int64) (*store, driver.Backend) {
			s := newStore()
			b := makes(s, o)
			var calls atomic.Int64
			s.onCall(func(context.Context, string, string) error {
				if calls.Add(1)%n == 0 {
					return errRefused
				}
				return nil
			})
			for range 100 {
				b.Get(ctx, "k")
				time.Sleep(o.Window / 100)
			}
			return s, b
		}
		if s, _ := every(3); s.calls.Load() != 100 {
			return fmt.Errorf("a third of faults opened it: %d calls", s.calls.Load())
		}
		if s, _ := every(2); s.calls.Load() == 100 {
			return fmt.Errorf("half of faults did not open it: %d calls", s.calls.Load())
		}
		return nil
	}},
	{"GRD-11", "a result from before the breaker opened does not close it", func(ctx context.Context, makes makeGuard) error {
		s := newStore()
		b := makes(s, options)
		release := make(chan struct{})
		s.onCall(func(context.Context, string, string) error { <-release; return nil })
		var late sync.WaitGroup
		late.Go(func() { b.Get(ctx, "late") })
		synctest.Wait()
		s.failWith(errRefused)
		for range options.Faults {
			b.Get(ctx, "k")
		}
		close(release)
		late.Wait()
		if _, _, err := b.Get(ctx, "k"); !errors.Is(err, driver.ErrUnavailable) || s.calls.Load() != int64(options.Faults)+1 {
			return fmt.Errorf("after a late success: %v, %d calls", err, s.calls.Load())
		}
		return nil
	}},
	{"GRD-12", "a probe that panics is not the last", func(ctx context.Context, makes makeGuard) error {
		s := newStore()
		b := opened(ctx, makes, s)
		time.Sleep(options.Pause)
		s.onCall(func(context.Context, string, string) error { panic("broken backend") })
		func() {
			defer func() { recover() }()
			b.Get(ctx, "k")
		}()
		s.failWith(nil)
		time.Sleep(options.Pause)
		if _, _, err := b.Get(ctx, "k"); err != nil {
			return fmt.Errorf("after a probe that panicked: %v", err)
		}
		return nil
	}},
	{"GRD-13", "a batch in which one key was served is no fault", func(ctx context.Context, makes makeGuard) error {
		s := newStore()
		b := makes(s, options)
		s.Fail("get_many", "bad", errRefused)
		for range 2 * options.Faults {
			driver.Resolve(b).GetMany(ctx, []string{"good", "bad"})
		}
		if _, _, err := b.Get(ctx, "good"); err != nil {
			return err
		}
		s.Fail("get_many", "", errRefused)
		for range options.Faults {
			driver.Resolve(b).GetMany(ctx, []string{"good", "bad"})
		}
		before := s.calls.Load()
		if b.Get(ctx, "good"); s.calls.Load() != before {
			return errors.New("batches of which every key fails do not open it")
		}
		return nil
	}},
}

func ours(inner driver.Backend, o guard.Options) driver.Backend {
	b, err := guard.New(inner, o)
	if err != nil {
		panic(err)
	}
	return b
}

func TestRules(t *testing.T) {
	for _, r := range rules {
		t.Run(r.id, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if err := r.check(t.Context(), ours); err != nil {
					t.Errorf("%s: %v", r.text, err)
				}
			})
		})
	}
}
