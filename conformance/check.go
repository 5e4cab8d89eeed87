package conformance

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

// Check runs, without a test, the cases that are safe on a store in use: every
// key has a random prefix and is removed, nothing else is cleared, the store is
// not filled, and backend stays open. It takes about five seconds, most of which
// it waits for entries to expire.
//
// Check finds the longest key, by reading, and whether counters can be negative;
// Report.Limits has both. A feature that
// the backend does not support is Unsupported, except Storage: a backend that stores
// nothing fails. A case that needs a store of its own or limits from a [Harness] is
// Skipped. If the store cannot be reached, every result is an Error; after the end of
// ctx, every remaining result is.
func Check(ctx context.Context, backend driver.Backend) Report {
	h := Harness{
		New: func(*testing.T) driver.Backend { return backend },
		// A server that counts and rounds up whole seconds may need as much.
		Limits: Limits{Resolution: 4100 * time.Millisecond},
		Unsupported: map[Feature]string{
			Persistence: "it cannot be checked with one handle",
			Threshold:   "it cannot be checked on a store in use",
			Network:     "it cannot be checked on a store in use",
		},
	}
	h.Limits.MaxKey, _ = inTime(func() int { return longestKeyRead(ctx, backend) })
	s, err := newSuite(h)
	if err != nil {
		return unusable(err)
	}
	s.keepOpen, s.janitor = true, cache.New(backend)
	unreachable := s.probe(ctx, backend)
	for _, feature := range s.undeclared {
		s.absent[feature] = "the backend does not support it"
	}
	s.undeclared = nil
	if lowest, found := inTime(func() *int64 { return s.lowestCounter(ctx, backend) }); found && unreachable == nil {
		s.harness.Limits.CounterMin, s.report.Limits.CounterMin = lowest, lowest
	}
	var waiting sync.WaitGroup
	for _, c := range causesFirst(Cases()) {
		if !s.concerns(c) {
			continue
		}
		if v, is := s.unchecked(ctx, c, unreachable); is {
			s.record(c, v, 0)
			continue
		}
		m := prefixed
		if c.has(oneModeOnly) {
			m = plain
		}
		started := make(chan struct{})
		waiting.Go(func() {
			s.judge(ctx, nil, c, []mode{m}, sync.OnceFunc(func() { close(started) }))
			select {
			case <-started:
			default:
				close(started)
			}
		})
		<-started
	}
	waiting.Wait()
	s.sortResults()
	return s.report
}

// unusable is the report of a suite that did not begin.
func unusable(err error) Report {
	r := Report{Suite: Version, Started: time.Now().UTC()}
	for _, c := range declarationCases {
		r.Results = append(r.Results, Result{ID: c.ID, Name: c.Name, Rule: c.Rule, Outcome: Error, Reason: err.Error()})
	}
	return r
}

// unchecked returns the verdict on a case that Check does not run.
func (s *suite) unchecked(ctx context.Context, c Case, unreachable error) (v verdict, is bool) {
	if unreachable != nil {
		return verdict{outcome: Error, reason: unreachable.Error()}, true
	}
	if v, is := s.excluded(c); is {
		return v, true
	}
	if c.has(needsOwnStore) {
		return verdict{outcome: Skipped, reason: "the case needs a store of its own"}, true
	}
	if ctx.Err() != nil {
		return verdict{outcome: Error, reason: ctx.Err().Error()}, true
	}
	return verdict{}, false
}

// lowestCounter returns 0 if a counter cannot be negative, nil if it can.
func (s *suite) lowestCounter(ctx context.Context, backend driver.Backend) *int64 {
	key := "conformance-" + s.runID + "-counter"
	defer backend.Delete(ctx, key)
	if _, err := driver.Resolve(backend).Inc(ctx, key, -1, time.Minute); errors.Is(err, driver.ErrNotInteger) {
		return new(int64)
	}
	return nil
}

// longestKeyRead returns the length of the longest key that Get accepts, 0 if it
// accepts 128 KiB. It changes nothing. A backend that accepts no key of usual length
// has no limit here: the cases report it.
func longestKeyRead(ctx context.Context, backend driver.Backend) int {
	accepts := func(length int) bool {
		key := make([]byte, length)
		for i := range key {
			key[i] = 'k'
		}
		_, _, err := backend.Get(ctx, string(key))
		return !isInvalidKey(err)
	}
	low, high := shortestMaxKey, 128<<10
	if !accepts(low) || accepts(high) {
		return 0
	}
	for low+1 < high {
		if middle := (low + high) / 2; accepts(middle) {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}
