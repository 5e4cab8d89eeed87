package conformance

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// excluded returns the outcome of a case that is not run, "" for one that is.
func (s *suite) excluded(c Case) (outcome Outcome, reason string) {
	for _, feature := range c.Features {
		if slices.Contains(s.undeclared, feature) {
			return Fail, fmt.Sprintf("the rule needs conformance.%s, which the backend neither supports nor declares; "+
				"implement it, or declare in the harness:\n%s", feature, s.declaration())
		}
		if reason, absent := s.absent[feature]; absent {
			return Unsupported, reason
		}
	}
	if reason, absent := s.absent[Storage]; absent && !c.has(alsoNull|nullOnly) {
		return Unsupported, reason
	}
	if c.notApplicable != nil {
		if reason := c.notApplicable(s.harness); reason != "" {
			return Unsupported, reason
		}
	}
	if c.has(needsTime) && !c.has(alsoShort) && s.short && !s.harness.Bubble && s.harness.Advance == nil {
		return Skipped, "the case waits in real time (-short)"
	}
	return "", ""
}

// verdict combines the attempts of a case.
func verdict(attempts []*attempt) (outcome Outcome, reason string) {
	outcome = Unsupported
	for _, t := range attempts {
		if t.inapplicable == "" {
			outcome = Pass
		} else if outcome != Pass {
			reason = t.inapplicable
		}
	}
	if outcome == Unsupported {
		return outcome, reason
	}
	var b strings.Builder
	for _, t := range attempts {
		for _, f := range t.failures {
			outcome = Fail
			fmt.Fprintf(&b, "\n  mode  %s\n  what  %s\n  got   %s\n  want  %s", t.mode, f.what, f.got, f.want)
			if f.line != "" {
				b.WriteString("\n  at    " + f.line)
			}
		}
		if t.obstacle != "" && outcome == Pass {
			outcome = Error
			fmt.Fprintf(&b, "\n  mode  %s\n  error %s", t.mode, t.obstacle)
		}
	}
	return outcome, strings.TrimPrefix(b.String(), "\n")
}

// explain returns the text of a failure, with the command that repeats it.
func (s *suite) explain(test *testing.T, c Case, outcome Outcome, reason string) string {
	pattern := "^" + strings.ReplaceAll(test.Name(), "/", "$/^") + "$"
	return fmt.Sprintf("%s: %s %s\n  rule  %s\n  why   %s\n%s\n  run   CONFORMANCE_SEED=%d go test -run '%s'",
		outcome, s.report.Backend, c.ID, c.Rule, c.Why, reason, s.report.Seed, pattern)
}
