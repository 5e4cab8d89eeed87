package conformance

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// Run runs all cases over the backend that h opens, each as a subtest of t.
//
// If CONFORMANCE_REPORT names a directory, Run writes the report there as JSON.
// CONFORMANCE_SEED repeats the random choices of an earlier run. With
// CONFORMANCE_STRICT=1 it is a failure if no report is written.
func Run(t *testing.T, h Harness) {
	t.Helper()
	s, err := newSuite(h)
	if err != nil {
		t.Fatalf("conformance: %v", err)
	}
	s.short = testing.Short()
	first := h.New(t)
	t.Cleanup(func() { inTime(first.Close) })
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
	defer cancel()
	if err := s.probe(ctx, first); err != nil {
		t.Fatalf("conformance: error: the backend cannot be tested: %v", err)
	}
	if !s.harness.Isolated {
		s.janitor = cache.New(s.show(first))
	}
	cases := causesFirst(Cases())
	t.Cleanup(func() { s.publish(t, cases) })
	for _, c := range cases {
		if s.concerns(c) {
			t.Run(c.ID+"_"+c.Name, func(t *testing.T) { s.subtest(t, c) })
		}
	}
}

// subtest runs one case.
func (s *suite) subtest(t *testing.T, c Case) {
	v := s.judge(context.WithoutCancel(t.Context()), t, c, c.modes(s.harness.Slow, s.short), t.Parallel)
	switch {
	case t.Skipped():
		t.Error("Harness.New skipped the test: a store that cannot be reached is an error")
	case v.outcome == Unsupported || v.outcome == Skipped || v.outcome == Waived:
		t.Skipf("%s: %s", v.outcome, v.reason)
	case v.outcome == Pass:
	case c.Provisional:
		t.Logf("provisional: %s", s.explain(t.Name(), c, v))
	case v.cause != "":
		t.Fail() // explained by its cause; the end of the run lists it
	default:
		t.Error(s.explain(t.Name(), c, v))
	}
}

// publish prints the common causes of failures and the totals. It writes the report if all
// cases were run: a partial report must not replace a complete one.
func (s *suite) publish(t *testing.T, cases []Case) {
	if leak := s.judgeLeak(t.Name()); leak != "" {
		t.Error(leak)
	}
	s.sortResults()
	for _, cause := range s.report.Causes() {
		t.Logf("conformance: %s\n    each explains itself if it runs alone: go test -run '%s/ID_'", cause, t.Name())
	}
	dir := os.Getenv("CONFORMANCE_REPORT")
	if dir == "" || s.harness.NoReport {
		t.Log(s.report)
		return
	}
	concerned := 0
	for _, c := range cases {
		if s.concerns(c) {
			concerned++
		}
	}
	if run := len(s.report.Results); run < concerned {
		t.Log(s.report)
		unwritten(t, fmt.Sprintf("only %d of %d cases were run", run, concerned))
		return
	}
	path, err := s.report.WriteFile(dir)
	if err != nil {
		t.Errorf("conformance: write the report: %v", err)
		return
	}
	t.Logf("%s, written to %s", s.report, path)
}

// unwritten logs that CONFORMANCE_REPORT is set and no report was written, also if the test
// passes.
func unwritten(t *testing.T, why string) {
	message := fmt.Sprintf("conformance: no report of %s was written: %s", t.Name(), why)
	if os.Getenv("CONFORMANCE_STRICT") == "1" {
		t.Error(message)
		return
	}
	fmt.Fprintln(os.Stderr, message)
}
