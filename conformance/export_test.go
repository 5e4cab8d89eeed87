package conformance

import (
	"slices"
	"testing"
	"time"
)

// Verdicts runs the cases for which only returns true, as Run does with -short. It
// returns the report instead of failing t.
func Verdicts(t *testing.T, h Harness, only func(Case) bool) Report {
	s := newSuite(h)
	s.short = true
	first := h.New(t)
	defer first.Close()
	if err := s.probe(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	for _, c := range Cases() {
		if !s.concerns(c) || !only(c) {
			continue
		}
		begin := time.Now()
		outcome, reason := s.excluded(c)
		if outcome == "" {
			outcome, reason = verdict(s.attempts(t, c))
		}
		s.record(c, outcome, reason, time.Since(begin))
	}
	s.sortResults()
	return s.report
}

// Failing returns the IDs of the rules that failed.
func (r Report) Failing() []string {
	ids := []string{}
	for _, result := range r.Results {
		if result.Outcome == Fail || result.Outcome == Error {
			ids = append(ids, result.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// Reason returns why the rule did not pass.
func (r Report) Reason(id string) string {
	i := slices.IndexFunc(r.Results, func(result Result) bool { return result.ID == id })
	return r.Results[i].Reason
}
