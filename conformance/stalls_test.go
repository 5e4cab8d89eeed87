package conformance

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// These tests run in bubbles, where a stall of the machine changes no time.

func TestDespiteStalls(t *testing.T) {
	failed := errors.New("i/o timeout")
	for name, c := range map[string]struct {
		took      time.Duration // of a call that fails
		failures  int           // calls that fail before one that succeeds
		wantCalls int
		want      error
	}{
		"no failure":               {0, 0, 1, nil},
		"a stall":                  {time.Second, 1, 2, nil},
		"a failure without a wait": {10 * time.Millisecond, 1, 1, failed},
		"a server that hangs":      {time.Second, 100, mostStalls + 1, failed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := proxied{t: &attempt{}, stalls: new(atomic.Int64)}
				calls := 0
				err := w.despiteStalls(func() error {
					if calls++; calls > c.failures {
						return nil
					}
					time.Sleep(c.took)
					return failed
				})
				if calls != c.wantCalls || err != c.want {
					t.Errorf("%d calls, %v; want %d, %v", calls, err, c.wantCalls, c.want)
				}
			})
		})
	}
}

// returnsOrStops runs part of a case and reports whether it was stopped.
func returnsOrStops(part func()) (stopped bool) {
	defer func() {
		if p := recover(); p != nil {
			if _, stopped = p.(stop); !stopped {
				panic(p)
			}
		}
	}()
	part()
	return false
}

// If a call stops the case, no failure is added for a call that hangs, and later cases wait as
// long as before.
func TestReturnsWithinOfACallThatStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &attempt{suite: &suite{}}
		stopped := returnsOrStops(func() {
			a.returnsWithin("call", time.Second, func() error { panic(stop{}) })
		})
		if !stopped || len(a.failures) > 0 || a.suite.impatient.Load() {
			t.Errorf("stopped: %v, impatient: %v, failures: %+v", stopped, a.suite.impatient.Load(), a.failures)
		}
	})
}

// Only the call is measured, and not what prepares it.
func TestReturnsWithinAfter(t *testing.T) {
	for _, c := range []struct {
		prepare, call time.Duration
		stops         bool
	}{
		{10 * time.Second, 0, false},
		{0, 2 * time.Second, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			a := &attempt{suite: &suite{}}
			stopped := returnsOrStops(func() {
				a.returnsWithinAfter(func() { time.Sleep(c.prepare) }, "call", time.Second, func() error {
					time.Sleep(c.call)
					return nil
				})
			})
			if stopped != c.stops || len(a.failures) > 0 != c.stops {
				t.Errorf("%v before a call of %v: stopped: %v, failures: %+v", c.prepare, c.call, stopped, a.failures)
			}
		})
	}
}

// A lost reply is noticed at once. A write that fails later may not have been sent.
func TestIsUnknown(t *testing.T) {
	for _, c := range []struct {
		err   error
		took  time.Duration
		fails bool
	}{
		{driver.ErrUnknownOutcome, 0, false},
		{driver.ErrUnknownOutcome, time.Second, false},
		{driver.ErrUnavailable, 0, true},
		{driver.ErrUnavailable, time.Second, false},
		{nil, time.Second, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			a, begin := &attempt{}, time.Now()
			time.Sleep(c.took)
			a.isUnknown("a write", begin, c.err)
			if len(a.failures) > 0 != c.fails {
				t.Errorf("%v after %v: failures %+v", c.err, c.took, a.failures)
			}
		})
	}
}
