package conformance

import (
	"context"
	"fmt"
	"sync"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// Check runs the cases that are safe on a store in use, without a test: all keys
// have a random prefix and are removed, nothing else is cleared or filled, and
// backend stays open. It takes about five seconds, most of it waiting for
// entries to expire.
//
// What the backend does not offer is Unsupported, and a case that needs a store
// of its own, or limits that only a [Harness] knows, is Skipped. A store that
// cannot be reached gives a report of Errors; so does, for the cases that are
// left, the end of ctx.
func Check(ctx context.Context, backend cache.Backend) Report {
	s := newSuite(Harness{
		// What a server with whole seconds, which rounds up, may need.
		Resolution: 4100 * time.Millisecond,
		Unsupported: map[Feature]string{
			Persistence: "it cannot be checked on one handle",
			Threshold:   "it cannot be checked on a store in use",
			Network:     "it cannot be checked on a store in use",
		},
	})
	s.janitor = cache.New(backend)
	reach := s.probe(ctx, backend)
	for _, feature := range s.lacking {
		s.absent[feature] = "the backend does not offer it"
	}
	s.lacking = nil
	var waiting sync.WaitGroup
	for _, c := range Cases() {
		outcome, reason := s.excluded(c)
		switch {
		case !s.concerns(c):
			continue
		case reach != nil:
			outcome, reason = Error, reach.Error()
		case outcome == "" && c.is(private):
			outcome, reason = Skipped, "it needs a store of its own"
		case outcome == "" && ctx.Err() != nil:
			outcome, reason = Error, ctx.Err().Error()
		}
		if outcome != "" {
			s.record(c, outcome, reason, 0)
			continue
		}
		run := func() {
			begin := time.Now()
			outcome, reason := s.checkOne(ctx, c, backend)
			s.record(c, outcome, reason, time.Since(begin))
		}
		if c.is(waits) {
			waiting.Go(run)
		} else {
			run()
		}
	}
	waiting.Wait()
	s.sortResults()
	return s.report
}

func (s *suite) checkOne(ctx context.Context, c Case, backend cache.Backend) (outcome Outcome, reason string) {
	defer func() {
		if p := recover(); p != nil {
			outcome, reason = Fail, fmt.Sprintf("panic: %v", p)
		}
	}()
	m := prefixed
	if c.is(once) {
		m = plain
	}
	t := s.prepare(ctx, c, m, opener{first: func() cache.Backend { return backend }, keep: true})
	return verdict([]attempt{s.perform(t, c)})
}
