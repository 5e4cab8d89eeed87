package guard_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// listed is a store that lists n entries, one per hour, and then fails with err.
type listed struct {
	*store
	n   int
	err error
}

func (l *listed) Scan(ctx context.Context, _ string) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		if err := l.Ping(ctx); err != nil { // counted, and as the test decides
			yield(driver.Entry{}, err)
			return
		}
		for i := range l.n {
			select {
			case <-time.After(time.Hour):
			case <-ctx.Done():
				yield(driver.Entry{}, ctx.Err())
				return
			}
			if !yield(driver.Entry{Key: fmt.Sprint(i)}, nil) {
				return
			}
		}
		if l.err != nil {
			yield(driver.Entry{}, l.err)
		}
	}
}

// scan returns the number of listed entries and the error.
func scan(ctx context.Context, b driver.Backend) (n int, err error) {
	for _, err := range driver.Resolve(b).Scan(ctx, "") {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func isOpen(t *testing.T, b driver.Backend) bool {
	t.Helper()
	_, _, err := b.Get(t.Context(), "k")
	return err != nil && strings.Contains(err.Error(), "circuit breaker is open")
}

func TestScan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		s := &listed{store: newStore(), n: 3}
		b := ours(s, options)
		if n, err := scan(ctx, b); n != 3 || err != nil {
			t.Errorf("a scan of three hours: %d, %v; it has no budget", n, err)
		}
		s.err = errRefused
		for range options.Faults {
			if n, err := scan(ctx, b); n != 3 || !errors.Is(err, errRefused) {
				t.Errorf("a scan that fails: %d, %v", n, err)
			}
		}
		if isOpen(t, b) { // each scan is also an answer
			t.Error("the breaker is open after scans that began well")
		}
		s.n = 0
		for range options.Faults {
			scan(ctx, b)
		}
		if !isOpen(t, b) {
			t.Errorf("the breaker is closed after %d scans that failed", options.Faults)
		}
		before := s.calls.Load()
		if n, err := scan(ctx, b); n != 0 || !errors.Is(err, driver.ErrUnavailable) || s.calls.Load() != before {
			t.Errorf("a scan with an open breaker: %d, %v, %d calls", n, err, s.calls.Load()-before)
		}
		time.Sleep(options.Pause)
		s.n, s.err = 3, nil
		for range driver.Resolve(b).Scan(ctx, "") {
			if isOpen(t, b) {
				t.Error("a scan is a probe, and its first entry did not close the breaker")
			}
			break
		}
	})
}

func TestScanThatItsCallerEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &listed{store: newStore(), n: 3}
		b := ours(s, options)
		for range 2 * options.Faults {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if n, err := scan(ctx, b); n != 0 || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a scan with a deadline: %d, %v", n, err)
			}
			cancel()
		}
		if isOpen(t, b) {
			t.Error("the deadlines of callers have opened the breaker")
		}
		s.n = 0
		if n, err := scan(t.Context(), b); n != 0 || err != nil {
			t.Errorf("an empty list: %d, %v", n, err)
		}
	})
}

// A scan that panics or lists nothing gives back the permission of a probe.
func TestScanAsProbe(t *testing.T) {
	for name, probe := range map[string]func(ctx context.Context, s *listed, b driver.Backend){
		"panics": func(ctx context.Context, s *listed, b driver.Backend) {
			defer func() { recover() }()
			s.onCall(func(context.Context, string, string) error { panic("defect") })
			scan(ctx, b)
		},
		"lists nothing": func(ctx context.Context, s *listed, b driver.Backend) { scan(ctx, b) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &listed{store: newStore()}
				s.failWith(errRefused)
				b := ours(s, options)
				for range options.Faults {
					b.Get(t.Context(), "k")
				}
				time.Sleep(options.Pause)
				s.failWith(nil)
				probe(t.Context(), s, b)
				s.failWith(nil)
				if isOpen(t, b) {
					t.Error("no further call passes")
				}
			})
		})
	}
}
