package remote

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Rule BAT-17 of the contract.
func TestParallelSkipsAfterAnOutage(t *testing.T) {
	var calls atomic.Int32
	errs := Parallel(t.Context(), 100, 1, func(i int) error {
		calls.Add(1)
		switch i {
		case 3:
			return driver.ErrTooLarge
		case 5:
			return fmt.Errorf("%w: %w", driver.ErrUnknownOutcome, os.ErrDeadlineExceeded)
		}
		return nil
	})
	if calls.Load() != 6 || errs[2] != nil || errs[3] != driver.ErrTooLarge || !errors.Is(errs[5], driver.ErrUnknownOutcome) {
		t.Errorf("%d calls, %v", calls.Load(), errs[:7])
	}
	for _, err := range errs[6:] {
		if !errors.Is(err, driver.ErrUnavailable) || errors.Is(err, driver.ErrUnknownOutcome) {
			t.Fatalf("skipped: %v; nothing was sent for it", err)
		}
	}
}

func TestParallelLimit(t *testing.T) {
	var now, most atomic.Int32
	all := make(chan struct{})
	release := sync.OnceFunc(func() { close(all) })
	Parallel(t.Context(), 20, 4, func(i int) error {
		if n := now.Add(1); n == 4 {
			release()
		}
		<-all // until four are under way
		most.Store(max(most.Load(), now.Load()))
		now.Add(-1)
		return nil
	})
	if most.Load() > 4 {
		t.Errorf("%d at a time", most.Load())
	}
}

func TestParallelWithoutLimit(t *testing.T) {
	for _, limit := range []int{0, -1} {
		calls := 0
		for _, err := range Parallel(t.Context(), 3, limit, func(int) error { calls++; return io.EOF }) {
			want(t, err, io.EOF)
		}
		if calls != 3 {
			t.Errorf("limit %d: %d calls; want 3, one at a time", limit, calls)
		}
	}
}

// A call that does not return fails, and the others are made all the same.
func TestParallelWithoutReturn(t *testing.T) {
	for _, limit := range []int{1, 3} {
		var calls atomic.Int32
		errs := Parallel(t.Context(), 9, limit, func(i int) error {
			calls.Add(1)
			switch i % 3 {
			case 0:
				runtime.Goexit()
			case 1:
				panic(io.ErrNoProgress)
			}
			return nil
		})
		if calls.Load() != 9 {
			t.Errorf("limit %d: %d calls; want 9", limit, calls.Load())
		}
		for i, err := range errs {
			want(t, err, []error{errExited, io.ErrNoProgress, nil}[i%3])
			var panicked *PanicError
			if errors.As(err, &panicked) != (i%3 == 1) || panicked != nil && len(panicked.Stack) == 0 {
				t.Errorf("%d: error %#v", i, err)
			}
		}
	}
}
