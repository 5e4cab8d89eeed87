package conformance

import (
	"slices"
	"testing"
	"time"
)

// Validate returns what is wrong with a harness.
func Validate(h Harness) error { return h.validate() }

// SetSilence sets how long an attempt may go without a step.
func SetSilence(limit time.Duration) { silenceLimit, shortSilence = limit, limit }

// ShortenSilence sets it for one test.
func ShortenSilence(t *testing.T, limit time.Duration) {
	long, short := silenceLimit, shortSilence
	t.Cleanup(func() { silenceLimit, shortSilence = long, short })
	SetSilence(limit)
}

// ShortenAttempts sets the time of a mode for one test.
func ShortenAttempts(t *testing.T, limit time.Duration) {
	before := attemptLimit
	t.Cleanup(func() { attemptLimit = before })
	attemptLimit = limit
}

// Verdicts runs the cases for which only returns true, as Run does with -short. It
// returns the report instead of failing t.
func Verdicts(t *testing.T, h Harness, only func(Case) bool) Report {
	return verdicts(t, h, func(c Case) []mode {
		if only(c) {
			return c.modes(h.Slow, true)
		}
		return nil
	})
}

// VerdictsOn is Verdicts for a test of one rule: the others run in one mode each, a
// different one from case to case.
func VerdictsOn(t *testing.T, h Harness, rule string, only func(Case) bool) Report {
	n := 0
	return verdicts(t, h, func(c Case) []mode {
		switch modes := c.modes(h.Slow, true); {
		case !only(c):
			return nil
		case c.ID == rule:
			return modes
		default:
			n++
			return modes[n%len(modes):][:1]
		}
	})
}

func verdicts(t *testing.T, h Harness, modesOf func(Case) []mode) Report {
	s, err := newSuite(h)
	if err != nil {
		t.Fatal(err)
	}
	s.short = true
	first := h.New(t)
	defer first.Close()
	if err := s.probe(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	for _, c := range causesFirst(Cases()) {
		if modes := modesOf(c); s.concerns(c) && len(modes) > 0 {
			s.judge(t.Context(), t, c, modes, nil)
		}
	}
	s.judgeLeak(t.Name())
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
