package conformance

import (
	"context"
	"fmt"
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
// A feature that the backend does not support is Unsupported. A case that needs a
// store of its own or limits from a [Harness] is Skipped. If the store cannot be
// reached, every result is an Error; after the end of ctx, every remaining result is.
func Check(ctx context.Context, backend driver.Backend) Report {
	s := newSuite(Harness{
		New: func(*testing.T) driver.Backend { return backend },
		// A server that counts and rounds up whole seconds may need as much.
		Limits: Limits{Resolution: 4100 * time.Millisecond},
		Unsupported: map[Feature]string{
			Persistence: "it cannot be checked with one handle",
			Threshold:   "it cannot be checked on a store in use",
			Network:     "it cannot be checked on a store in use",
		},
	})
	s.keepOpen, s.janitor = true, cache.New(backend)
	unreachable := s.probe(ctx, backend)
	for _, feature := range s.undeclared {
		s.absent[feature] = "the backend does not support it"
	}
	s.undeclared = nil
	var waiting sync.WaitGroup
	for _, c := range Cases() {
		if !s.concerns(c) {
			continue
		}
		if outcome, reason := s.unchecked(ctx, c, unreachable); outcome != "" {
			s.record(c, outcome, reason, 0)
			continue
		}
		run := func() {
			begin := time.Now()
			outcome, reason := s.checkOne(ctx, c)
			s.record(c, outcome, reason, time.Since(begin))
		}
		if c.has(needsTime) {
			waiting.Go(run)
		} else {
			run()
		}
	}
	waiting.Wait()
	s.sortResults()
	return s.report
}

// unchecked returns the outcome of a case that Check does not run, "" for one
// that it does.
func (s *suite) unchecked(ctx context.Context, c Case, unreachable error) (outcome Outcome, reason string) {
	if unreachable != nil {
		return Error, unreachable.Error()
	}
	if outcome, reason = s.excluded(c); outcome != "" {
		return outcome, reason
	}
	if c.has(needsOwnStore) {
		return Skipped, "the case needs a store of its own"
	}
	if ctx.Err() != nil {
		return Error, ctx.Err().Error()
	}
	return "", ""
}

func (s *suite) checkOne(ctx context.Context, c Case) (outcome Outcome, reason string) {
	defer func() {
		if p := recover(); p != nil {
			outcome, reason = Fail, fmt.Sprintf("panic: %v", p)
		}
	}()
	m := prefixed
	if c.has(oneModeOnly) {
		m = plain
	}
	return verdict([]*attempt{s.prepare(ctx, nil, c, m).perform(c)})
}
