package conformance

import (
	"context"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// Run runs all cases over the backend that h opens, each as a subtest of t.
//
// If CONFORMANCE_REPORT names a directory, Run writes the report there as JSON.
// CONFORMANCE_SEED repeats the random choices of an earlier run.
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

// declarations checks what the harness declares against what the probe found.
func (s *suite) declarations(t *testing.T) {
	for feature, reason := range s.harness.Unsupported {
		if reason == "" {
			t.Errorf("Harness.Unsupported[%s] has no reason; the report shows it to users", feature)
		}
	}
	for trait, reason := range s.harness.Traits {
		if reason == "" {
			t.Errorf("Harness.Traits[%s] has no reason; the report shows it to users", trait)
		}
	}
	for _, feature := range s.overdeclared {
		t.Errorf("%s is declared unsupported (%q) but works: remove it from Harness.Unsupported",
			feature, s.harness.Unsupported[feature])
	}
	if len(s.undeclared) > 0 {
		t.Errorf("the backend lacks features that are not declared; implement them, or declare in the harness:\n%s", s.declaration())
	}
}

// subtest runs one case and records its result, even if the harness ends the test.
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

// attempts runs c in each of its modes.
func (s *suite) attempts(test *testing.T, c Case) []*attempt {
	if c.has(needsTime) && !s.harness.Bubble && s.harness.Advance == nil {
		return s.attemptsInRealTime(test, c)
	}
	ctx := context.WithoutCancel(test.Context())
	var attempts []*attempt
	for _, m := range c.modes() {
		if c.has(needsTime|usesFreeTime) && s.harness.Bubble {
			synctest.Test(test, func(test *testing.T) {
				attempts = append(attempts, s.prepare(test.Context(), test, c, m).perform(c))
			})
			continue
		}
		attempts = append(attempts, s.prepare(ctx, test, c, m).perform(c))
	}
	return attempts
}

// attemptsInRealTime runs the modes at once, beside the other cases that wait.
func (s *suite) attemptsInRealTime(test *testing.T, c Case) []*attempt {
	var attempts []*attempt
	var wait sync.WaitGroup
	for _, m := range c.modes() {
		t := s.prepare(context.WithoutCancel(test.Context()), test, c, m)
		attempts = append(attempts, t)
		wait.Go(func() { t.perform(c) })
	}
	// t.Parallel pauses this test until the sequential cases have ended. The attempts
	// above already run.
	test.Parallel()
	wait.Wait()
	return attempts
}

// publish writes the report if all cases were run: a partial report must not
// replace a complete one.
func (s *suite) publish(t *testing.T, cases []Case) {
	dir := os.Getenv("CONFORMANCE_REPORT")
	if dir == "" || s.harness.NoReport {
		return
	}
	concerned := 0
	for _, c := range cases {
		if s.concerns(c) {
			concerned++
		}
	}
	if len(s.report.Results) < concerned {
		t.Logf("conformance: no report was written: only %d of %d cases were run", len(s.report.Results), concerned)
		return
	}
	s.sortResults()
	path, err := s.report.WriteFile(dir)
	if err != nil {
		t.Errorf("conformance: write the report: %v", err)
		return
	}
	t.Logf("%s, written to %s", s.report, path)
}
