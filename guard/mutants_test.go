package guard_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/guard"
)

// mutants maps a defect of the simple guard below to the rule that it breaks.
var mutants = map[string]string{
	"":                                  "",
	"sends while open":                  "GRD-1",
	"wraps the last fault":              "GRD-1",
	"counts misses":                     "GRD-2",
	"counts mistakes":                   "GRD-2",
	"probes together":                   "GRD-3",
	"has no budget":                     "GRD-4",
	"returns the timeout of the budget": "GRD-4",
	"adds while open":                   "GRD-5",
	"counts all faults":                 "GRD-6",
	"closes after a pause":              "GRD-7",
	"counts callers who left":           "GRD-8",
	"keeps a probe whose caller left":   "GRD-8",
	"has one breaker for all servers":   "GRD-9",
	"ignores the share":                 "GRD-10",
	"is closed by late results":         "GRD-11",
	"loses a probe that panics":         "GRD-12",
	"counts a batch with one failure":   "GRD-13",
}

func TestMutants(t *testing.T) {
	for flaw, id := range mutants {
		t.Run(flaw, func(t *testing.T) {
			for _, r := range rules {
				if id != "" && r.id != id {
					continue
				}
				synctest.Test(t, func(t *testing.T) {
					err := r.check(t.Context(), func(inner driver.Backend, o guard.Options) driver.Backend {
						return &simple{Operations: driver.Resolve(inner), o: o, flaw: flaw, states: map[string]*state{}}
					})
					if (err != nil) != (id != "") {
						t.Errorf("%s: %v", r.id, err)
					}
				})
			}
		})
	}
}

// simple is another guard, with one lock, that keeps the rules unless it has a flaw.
type simple struct {
	*driver.Operations
	o    guard.Options
	flaw string

	mu     sync.Mutex
	states map[string]*state // by place
}

type state struct {
	inRow   int
	open    bool
	last    error
	retryAt time.Time
	probing bool
	results []result
}

type result struct {
	at     time.Time
	failed bool
}

func (s *simple) stateOf(key string) *state {
	place := s.Place(key)
	if s.flaw == "has one breaker for all servers" {
		place = ""
	}
	if s.states[place] == nil {
		s.states[place] = new(state)
	}
	return s.states[place]
}

func (s *simple) call(ctx context.Context, key string, do func(ctx context.Context) error) error {
	s.mu.Lock()
	st := s.stateOf(key)
	probe := false
	if st.open {
		switch {
		case s.flaw == "sends while open":
		case time.Now().Before(st.retryAt), st.probing && s.flaw != "probes together":
			err := st.last
			s.mu.Unlock()
			if s.flaw == "wraps the last fault" {
				return err
			}
			return fmt.Errorf("%w: open", driver.ErrUnavailable)
		default:
			probe = true
			st.probing = true
			if s.flaw == "closes after a pause" {
				st.open, st.probing, st.inRow = false, false, 0
			}
		}
	}
	s.mu.Unlock()
	if s.flaw == "probes together" {
		time.Sleep(time.Nanosecond) // the call of the store takes no time in the bubble
	}
	done := false
	defer func() {
		if !done && s.flaw != "loses a probe that panics" {
			s.mu.Lock()
			st.probing = false
			s.mu.Unlock()
		}
	}()
	limited, cancel := context.WithTimeout(ctx, s.o.Budget)
	if s.flaw == "has no budget" {
		limited, cancel = context.WithTimeout(ctx, time.Hour)
	}
	defer cancel()
	err := do(limited)
	done = true
	if limited.Err() != nil && ctx.Err() == nil && s.flaw != "returns the timeout of the budget" {
		kind := driver.ErrUnavailable
		if errors.Is(err, driver.ErrUnknownOutcome) {
			kind = driver.ErrUnknownOutcome
		}
		err = fmt.Errorf("%w: budget", kind)
	}
	s.record(ctx, st, probe, err)
	return err
}

func (s *simple) record(ctx context.Context, st *state, probe bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := ctx.Err() != nil && s.flaw != "counts callers who left"
	failed := errors.Is(err, driver.ErrUnavailable) || errors.Is(err, driver.ErrUnknownOutcome) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
	failed = failed || s.flaw == "counts misses" && err == nil || s.flaw == "counts mistakes" && err != nil
	if probe {
		if left && s.flaw == "keeps a probe whose caller left" {
			return
		}
		st.probing = false
	}
	switch {
	case left || st.open && !probe && s.flaw != "is closed by late results":
	case failed:
		st.inRow++
		st.last = err
		st.results = append(st.results, result{time.Now(), true})
		if st.open || st.inRow >= s.o.Faults || s.overShare(st) {
			st.open, st.retryAt = true, time.Now().Add(s.o.Pause)
		}
	default:
		if s.flaw != "counts all faults" {
			st.inRow = 0
		}
		st.results = append(st.results, result{time.Now(), false})
		if st.open {
			*st = state{}
		}
	}
}

func (s *simple) overShare(st *state) bool {
	if s.o.Share == 0 || s.flaw == "ignores the share" {
		return false
	}
	calls, failed := 0, 0
	for _, r := range st.results {
		if time.Since(r.at) < s.o.Window {
			calls++
			if r.failed {
				failed++
			}
		}
	}
	return failed >= s.o.Faults && float64(failed) >= s.o.Share*float64(calls)
}

func (s *simple) Get(ctx context.Context, key string) (value []byte, ok bool, err error) {
	err = s.call(ctx, key, func(ctx context.Context) (err error) {
		value, ok, err = s.Operations.Get(ctx, key)
		return err
	})
	return value, ok, err
}

func (s *simple) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return s.call(ctx, key, func(ctx context.Context) error { return s.Operations.Set(ctx, key, value, ttl) })
}

func (s *simple) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (added bool, err error) {
	err = s.call(ctx, key, func(ctx context.Context) (err error) {
		added, err = s.Operations.Add(ctx, key, value, ttl)
		return err
	})
	if s.flaw == "adds while open" && errors.Is(err, driver.ErrUnavailable) {
		return true, nil
	}
	return added, err
}

func (s *simple) Inc(ctx context.Context, key string, delta int64, ttl time.Duration) (sum int64, err error) {
	err = s.call(ctx, key, func(ctx context.Context) (err error) {
		sum, err = s.Operations.Inc(ctx, key, delta, ttl)
		return err
	})
	return sum, err
}

// GetMany asks for each server by one call, and for all keys by one call if there is
// one server.
func (s *simple) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	values := make([][]byte, len(keys))
	var failed driver.BatchError
	byPlace := map[string][]int{}
	for i, key := range keys {
		byPlace[s.Place(key)] = append(byPlace[s.Place(key)], i)
	}
	for _, at := range byPlace {
		some := make([]string, len(at))
		for i, index := range at {
			some[i] = keys[index]
		}
		var batch *driver.BatchError
		err := s.call(ctx, some[0], func(ctx context.Context) error {
			got, err := s.Operations.GetMany(ctx, some)
			for i, index := range at {
				values[index] = got[i]
			}
			if errors.As(err, &batch) && len(batch.Failed) < len(some) && s.flaw != "counts a batch with one failure" {
				return nil
			}
			return err
		})
		for _, key := range some {
			if err != nil {
				failed.Fail(key, err)
			}
		}
	}
	return values, failed.ErrorOrNil()
}
