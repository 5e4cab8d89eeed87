package conformance

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// Run runs all cases over the backend that h opens, each as a subtest of t.
//
// CONFORMANCE_REPORT=dir writes the outcomes to dir as JSON, and
// CONFORMANCE_SEED=n repeats the random choices of an earlier run.
func Run(t *testing.T, h Harness) {
	t.Helper()
	if h.New == nil {
		t.Fatal("conformance: Harness.New is nil")
	}
	s := newSuite(h)
	s.short = testing.Short()
	first := h.New(t)
	t.Cleanup(func() { first.Close() })
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
	defer cancel()
	if err := s.probe(ctx, first); err != nil {
		t.Fatalf("conformance: error: the backend cannot be tested: %v", err)
	}
	if !s.harness.Isolated {
		s.janitor = cache.New(first)
	}
	cases := Cases()
	t.Cleanup(func() { s.publish(t, cases) })
	t.Run("declarations", s.declarations)
	for _, c := range cases {
		if s.concerns(c) {
			t.Run(c.ID+"_"+c.Name, func(t *testing.T) { s.subtest(t, c) })
		}
	}
}

// declarations checks Harness.Unsupported against what the backend can do.
func (s *suite) declarations(t *testing.T) {
	for feature, reason := range s.harness.Unsupported {
		if reason == "" {
			t.Errorf("Harness.Unsupported[%s] has no reason, and the reader of the report wants one", feature)
		}
	}
	for _, feature := range s.idle {
		t.Errorf("%s is declared unsupported (%q) and works: take it out of Harness.Unsupported",
			feature, s.harness.Unsupported[feature])
	}
	if len(s.lacking) > 0 {
		t.Errorf("the backend lacks what it does not declare; implement it, or put into the harness:\n%s", s.paste())
	}
}

func (s *suite) subtest(t *testing.T, c Case) {
	begin := time.Now()
	outcome, reason := s.excluded(c)
	defer func() {
		if t.Skipped() && outcome == "" {
			t.Error("Harness.New skipped the test: a store that cannot be reached is an error")
		}
		if outcome == "" {
			outcome, reason = Error, "the harness ended the test"
		}
		s.record(c, outcome, reason, time.Since(begin))
	}()
	if outcome == "" {
		outcome, reason = verdict(s.attempts(t, c))
	}
	switch {
	case outcome == Unsupported || outcome == Skipped:
		t.Skipf("%s: %s", outcome, reason)
	case outcome == Pass:
	case c.Provisional:
		t.Logf("provisional: %s", s.explain(t, c, outcome, reason))
	default:
		t.Error(s.explain(t, c, outcome, reason))
	}
}

// attempts runs c in its modes: one after the other, or, where each has to wait
// in real time, together and beside the other cases that wait.
func (s *suite) attempts(t *testing.T, c Case) []attempt {
	modes := c.modes()
	attempts := make([]attempt, len(modes))
	if c.is(waits) && s.harness.Bubble {
		for i, m := range modes {
			synctest.Test(t, func(t *testing.T) {
				attempts[i] = s.perform(s.prepare(t.Context(), c, m, s.opener(t)), c)
			})
		}
		return attempts
	}
	limit := time.Minute
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), limit)
	defer cancel()
	if !c.is(waits) || s.harness.Advance != nil {
		for i, m := range modes {
			attempts[i] = s.perform(s.prepare(ctx, c, m, s.opener(t)), c)
		}
		return attempts
	}
	var wait sync.WaitGroup
	for i, m := range modes {
		x := s.prepare(ctx, c, m, s.opener(t))
		wait.Go(func() { attempts[i] = s.perform(x, c) })
	}
	// Only now: t.Parallel lets the other cases begin while these wait.
	t.Parallel()
	wait.Wait()
	return attempts
}

func (s *suite) opener(t *testing.T) opener {
	h := s.harness
	bind := func(open func(*testing.T) cache.Backend) func() cache.Backend {
		return func() cache.Backend { return open(t) }
	}
	open := opener{first: bind(h.New), guarded: bind(h.Guarded), unauthorized: bind(h.Unauthorized), full: bind(h.Full)}
	if h.Emptied != nil {
		open.emptied = bind(h.Emptied)
	}
	if h.PartialOutage != nil {
		open.partialOutage = func() (cache.Backend, func()) { return h.PartialOutage(t) }
	}
	if h.Reopen != nil {
		open.reopen = func(first cache.Backend) cache.Backend { return h.Reopen(t, first) }
	}
	if h.Bounded != nil {
		open.bounded = func(most int) cache.Backend { return h.Bounded(t, most) }
	}
	if h.Faults != nil {
		open.connect = func(addr string) (cache.Backend, error) { return h.Faults.New(t, addr) }
	}
	return open
}

// explain is the text of a failure.
func (s *suite) explain(t *testing.T, c Case, outcome Outcome, reason string) string {
	pattern := "^" + strings.ReplaceAll(t.Name(), "/", "$/^") + "$"
	return fmt.Sprintf("%s: %s %s\n  rule  %s\n  why   %s\n%s\n  run   CONFORMANCE_SEED=%d go test -run '%s'",
		outcome, s.report.Backend, c.ID, c.Rule, c.Why, reason, s.report.Seed, pattern)
}

// publish writes the report, if all cases have been run: part of it would take
// the place of a whole one.
func (s *suite) publish(t *testing.T, cases []Case) {
	dir := os.Getenv("CONFORMANCE_REPORT")
	if dir == "" {
		return
	}
	concerned := 0
	for _, c := range cases {
		if s.concerns(c) {
			concerned++
		}
	}
	if len(s.report.Results) < concerned {
		t.Logf("conformance: only %d of %d cases were run: no report", len(s.report.Results), concerned)
		return
	}
	s.sortResults()
	path, err := s.report.WriteFile(dir)
	if err != nil {
		t.Errorf("conformance: the report cannot be written: %v", err)
		return
	}
	t.Logf("%s, written to %s", s.report, path)
}
