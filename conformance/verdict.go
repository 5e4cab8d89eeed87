package conformance

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// verdict is the result of a case.
type verdict struct {
	outcome Outcome
	reason  string // unless the outcome is Pass
	cause   string // the ID of a rule that fails too and explains this failure
	crash   string // the stack of a panic or a hang, which no declaration excuses
}

// excluded returns the verdict on a case that is not run.
func (s *suite) excluded(c Case) (v verdict, excluded bool) {
	for _, feature := range c.Features {
		if reason, absent := s.absent[feature]; absent {
			return verdict{outcome: Unsupported, reason: reason}, true
		}
	}
	if reason, absent := s.absent[Storage]; absent && !c.has(alsoNull|nullOnly) {
		return verdict{outcome: Unsupported, reason: reason}, true
	}
	if c.notApplicable != nil {
		if reason := c.notApplicable(s.harness); reason != "" {
			return verdict{outcome: Unsupported, reason: reason}, true
		}
	}
	if s.waits(c) && s.short && !c.has(alsoShort) {
		return verdict{outcome: Skipped, reason: "the case waits in real time (-short)"}, true
	}
	return verdict{}, false
}

// waits reports whether c waits in real time.
func (s *suite) waits(c Case) bool {
	return c.has(needsTime) && !s.harness.Bubble && s.harness.Advance == nil
}

// combine returns the verdict on the attempts of a case.
func combine(attempts []*attempt) verdict {
	v := verdict{outcome: Unsupported}
	var findings []finding
	var obstacles []string
	for _, t := range attempts {
		t.mu.Lock()
		if t.inapplicable == "" {
			v.outcome = Pass
		} else {
			v.reason = t.inapplicable
		}
		for _, f := range t.failures {
			findings = mergeFinding(findings, f, t.mode)
			v.crash = cmp.Or(v.crash, f.crash)
		}
		if t.obstacle != "" {
			obstacles = append(obstacles, fmt.Sprintf("  error %s\n  mode  %s", t.obstacle, t.mode))
		}
		t.mu.Unlock()
	}
	switch {
	case len(findings) > 0:
		v.outcome, v.reason = Fail, describe(findings)
	case len(obstacles) > 0:
		v.outcome, v.reason = Error, obstacles[0]
	case v.outcome == Pass:
		v.reason = ""
	}
	return v
}

// finding is a failure and the modes in which it was found.
type finding struct {
	failure
	modes []mode
}

// mergeFinding adds f. The same failure in another mode is the same finding,
// though numbers in its text and the code below it differ.
func mergeFinding(findings []finding, f failure, m mode) []finding {
	i := slices.IndexFunc(findings, func(other finding) bool {
		return other.line == f.line && outline(other.what) == outline(f.what)
	})
	if i < 0 {
		return append(findings, finding{f, []mode{m}})
	}
	if !slices.Contains(findings[i].modes, m) {
		findings[i].modes = append(findings[i].modes, m)
	}
	return findings
}

// outline returns the first line of a text, without its digits.
func outline(text string) string {
	first, _, _ := strings.Cut(text, "\n")
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return -1
		}
		return r
	}, first)
}

// describe returns the text of at most three findings.
func describe(findings []finding) string {
	const most = 3
	var b strings.Builder
	for _, f := range findings[:min(most, len(findings))] {
		where := cmp.Or(f.line, "the suite") + " in mode " + string(f.modes[0])
		if len(f.modes) > 1 {
			where += fmt.Sprintf("; also in %s", strings.Join(asText(f.modes[1:]), ", "))
		}
		for _, line := range []struct{ label, text string }{
			{"what", f.what}, {"got", f.got}, {"want", f.want}, {"where", where}, {"or", f.hint},
		} {
			if line.text != "" {
				fmt.Fprintf(&b, "  %-5s %s\n", line.label, strings.ReplaceAll(line.text, "\n", "\n        "))
			}
		}
	}
	if more := len(findings) - most; more > 0 {
		fmt.Fprintf(&b, "  and %d more like it\n", more)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func asText(modes []mode) []string {
	list := make([]string, len(modes))
	for i, m := range modes {
		list[i] = string(m)
	}
	return list
}

// declared applies the declarations of the harness to v. A failure that a trait or a
// waiver allows becomes Unsupported or Waived. A waived rule that passes fails.
func (s *suite) declared(c Case, v verdict) verdict {
	waiver, waived := s.harness.Waived[c.ID]
	switch excuse, excused := s.harness.excuse(c.ID); {
	case v.crash != "":
	case v.outcome == Fail && excused:
		return verdict{outcome: Unsupported, reason: excuse}
	case v.outcome == Fail && waived:
		return verdict{outcome: Waived, reason: waiver}
	case v.outcome == Pass && waived:
		return verdict{outcome: Fail, reason: "  got   the rule passes\n  want  no waiver: remove it from Harness.Waived"}
	case v.outcome == Fail:
		if hint := s.harness.traitHint(c.ID); hint != "" && !strings.Contains(v.reason, "remove it from the harness") {
			v.reason += "\n  or    " + hint
		}
	}
	return v
}

// explain returns the text of a failure, with the command that repeats it.
func (s *suite) explain(test string, c Case, v verdict) string {
	pattern := "^" + strings.ReplaceAll(test, "/", "$/^") + "$"
	return fmt.Sprintf("%s: %s %s\n  rule  %s\n  why   %s\n%s\n  run   CONFORMANCE_SEED=%d go test -run '%s'",
		v.outcome, s.report.Backend, c.ID, c.Rule, c.Why, v.reason, s.report.Seed, pattern)
}
