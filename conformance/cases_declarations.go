package conformance

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cachebackends/cachebackends/core/driver"
)

// declarationsID is the ID of the rule about the harness itself.
const declarationsID = "DEC-1"

var declarationCases = []Case{
	{ID: declarationsID, Name: "declarations",
		Rule:  "the harness declares the features that the backend lacks and the traits that it has, and no others",
		Why:   "Users choose a backend by its report, which is wrong if a declaration is wrong.",
		flags: oneModeOnly | alsoNull | usesFreeTime,
		run: func(t *attempt) {
			for _, feature := range t.suite.overdeclared {
				t.wrong(fmt.Sprintf("Unsupported[conformance.%s] (%q)", feature, t.harness.Unsupported[feature]),
					text("the feature works"), text("no declaration: remove it from the harness"))
			}
			if len(t.suite.undeclared) > 0 {
				t.wrong("features that are not declared", text("the backend lacks them"),
					text("implement them, or declare in the harness:\n"+t.suite.declaration()))
			}
			for trait, has := range map[Trait]func(*attempt) bool{OneTTL: hasOneTTL, LateEviction: hasLateEviction, OneHandle: hasOneHandle} {
				if t.harness.declares(trait) && !has(t) {
					t.wrong(fmt.Sprintf("Traits[conformance.%s] (%q)", trait, t.harness.Traits[trait]),
						text("the store does not have it"), text("no declaration: remove it from the harness"))
				}
			}
		}},
}

// hasOneTTL reports whether an entry outlives its TTL.
func hasOneTTL(t *attempt) bool {
	t.setExpired("one-ttl")
	_, ok := t.get("one-ttl")
	return ok
}

// hasLateEviction reports whether a bounded store is seen with too many entries,
// or without the entry that was just stored.
func hasLateEviction(t *attempt) bool {
	for range 20 {
		b := t.openBounded()
		list := keys("k", 5*threshold)
		for _, key := range list {
			t.setIn(b, key, 0)
			if t.countIn(b, []string{key}) == 0 {
				return true
			}
		}
		if t.countIn(b, list) > threshold+1 {
			return true
		}
	}
	return false
}

// hasOneHandle reports whether the store cannot be opened a second time.
func hasOneHandle(t *attempt) bool {
	b := t.harness.Stores.Reopen(t.test, t.first)
	if b != nil {
		t.toClose = append(t.toClose, b)
	}
	return b == nil
}

// declaration returns the Go code that declares the features the backend lacks.
func (s *suite) declaration() string {
	var b strings.Builder
	b.WriteString("Unsupported: map[conformance.Feature]string{\n")
	for _, feature := range s.undeclared {
		fmt.Fprintf(&b, "\tconformance.%s: \"why not\",\n", feature)
	}
	return b.String() + "},"
}

// judgeLeak makes a goroutine that outlived a bubble a failure of CON-5, also if
// CON-5 passed or did not run. It returns the text of the failure.
func (s *suite) judgeLeak(test string) (explained string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leak == "" {
		return ""
	}
	c := concurrencyCases[slices.IndexFunc(concurrencyCases, func(c Case) bool { return c.ID == "CON-5" })]
	v := s.declared(c, verdict{outcome: Fail, reason: "  got   " + strings.ReplaceAll(s.leak, "\n", "\n        ") +
		"\n  want  none: end them in Close, and wait for their end; or use Isolated in place of Bubble"})
	result := Result{ID: c.ID, Name: c.Name, Rule: c.Rule, Outcome: v.outcome, Reason: v.reason}
	i := slices.IndexFunc(s.report.Results, func(r Result) bool { return r.ID == c.ID })
	switch {
	case i < 0:
		s.report.Results = append(s.report.Results, result)
	case s.report.Results[i].Outcome == v.outcome: // CON-5 has found them itself
		return ""
	default:
		s.report.Results[i] = result
	}
	if v.outcome != Fail {
		return ""
	}
	return s.explain(test+"/"+c.ID+"_"+c.Name, c, v)
}

func isInvalidKey(err error) bool { return errors.Is(err, driver.ErrInvalidKey) }
