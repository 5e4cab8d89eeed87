package conformance

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// causes are rules on which others depend, in the order in which they explain a
// failure. They run first. If one fails, the failures of the rules that depend on it
// are counted and not explained.
var causes = []struct {
	id       string
	explains func(c Case) bool
}{
	{"BAS-1", func(c Case) bool { return !c.has(nullOnly) && !isAbout(c, "DEC", "CLO", "CFG") && c.ID != "CON-5" }},
	{"TTL-6", dependsOnExpiry},
	{"TTL-5", dependsOnExpiry},
	{"CNT-1", func(c Case) bool { return slices.Contains(c.Features, Counter) }},
	{"ADD-1", func(c Case) bool { return isAbout(c, "ADD") }},
	{"CLR-1", func(c Case) bool { return c.has(emptiesStore) }},
}

// dependsOnExpiry reports whether c expects that entries expire at their TTL.
func dependsOnExpiry(c Case) bool {
	readsTTL := []string{"ADD-1", "BAT-9", "BAT-11", "CLR-1", "CNT-1", "LIF-1", "LIF-2", "LIF-5", "SCN-3", "SWP-1",
		"TTL-2", "TTL-3", "TTL-10", "TTL-11", "TTL-12", "TTL-13", "TTL-14", "TTL-16", "WAT-1"}
	return c.has(needsTime) || isAbout(c, "MOD") || slices.Contains(readsTTL, c.ID)
}

// isAbout reports whether the ID of c begins with one of chapters.
func isAbout(c Case, chapters ...string) bool {
	chapter, _, _ := strings.Cut(c.ID, "-")
	return slices.Contains(chapters, chapter)
}

func isCause(c Case) bool { return rankOfCause(c.ID) < len(causes) }

// rankOfCause is the position of a rule among the causes, len(causes) if it is none.
func rankOfCause(id string) int {
	for i, cause := range causes {
		if cause.id == id {
			return i
		}
	}
	return len(causes)
}

// causesFirst sorts cases so that causes are judged before what depends on them.
func causesFirst(cases []Case) []Case {
	slices.SortStableFunc(cases, func(a, b Case) int { return rankOfCause(a.ID) - rankOfCause(b.ID) })
	return cases
}

// ruling is the verdict on a cause, which may still be under way.
type ruling struct {
	done   chan struct{}
	failed bool
}

// causeOf returns the cause that fails and explains a failure of c, "" if there is none.
func (s *suite) causeOf(c Case) string {
	for i, cause := range causes {
		if i >= rankOfCause(c.ID) || !cause.explains(c) {
			continue
		}
		s.mu.Lock()
		ruling := s.rulings[cause.id]
		s.mu.Unlock()
		if ruling == nil { // -run excludes it
			continue
		}
		if <-ruling.done; ruling.failed {
			return cause.id
		}
	}
	return ""
}

// longestWait returns how long a case waits for what a correct backend does soon. One that
// stores nothing fails for that reason, and is not waited for as long.
func (t *attempt) longestWait(limit time.Duration) time.Duration {
	t.suite.mu.Lock()
	stores := t.suite.rulings[causes[0].id]
	t.suite.mu.Unlock()
	if stores == nil {
		return limit
	}
	select {
	case <-stores.done:
		if stores.failed {
			return limit / 20
		}
	default:
	}
	return limit
}

// Causes returns a sentence for each rule whose failure explains others, which
// [Result.Cause] names. It is several lines long if it names many rules.
func (r Report) Causes() []string {
	explained := map[string][]string{}
	for _, result := range r.Results {
		if result.Cause != "" {
			explained[result.Cause] = append(explained[result.Cause], result.ID)
		}
	}
	var list []string
	for _, cause := range slices.Sorted(maps.Keys(explained)) {
		ids := explained[cause]
		list = append(list, wrap(fmt.Sprintf("%s fails, and with it %d for the same cause: %s", cause, len(ids), strings.Join(ids, ", ")), 110))
	}
	return list
}

// wrap breaks text into lines of at most width bytes, the further ones indented.
func wrap(text string, width int) string {
	var b strings.Builder
	column := 0
	for i, word := range strings.Fields(text) {
		switch {
		case i > 0 && column+1+len(word) > width:
			b.WriteString("\n    ")
			column = 4
		case i > 0:
			b.WriteString(" ")
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}
