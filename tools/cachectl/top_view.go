package main

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// topState is everything that the screen of top shows.
type topState struct {
	backend  string
	prefix   string // of the keys
	interval time.Duration
	paused   bool
	now      reading
	activity []activity // empty before the second reading
	sample   *sample    // nil before the first scan has ended
}

var (
	bold    = ansi.Style{}.Bold()
	reverse = ansi.Style{}.Reverse(true)
	red     = ansi.Style{}.ForegroundColor(ansi.Red).Bold()
)

// screen collects the lines of a screen.
type screen struct {
	width int
	lines []string
}

func (s *screen) add(format string, args ...any) {
	s.lines = append(s.lines, ansi.Truncate(fmt.Sprintf(format, args...), s.width, "…"))
}

// title adds an empty line and a heading over the whole width.
func (s *screen) title(format string, args ...any) {
	text := ansi.Truncate(fmt.Sprintf(format, args...), s.width, "…")
	s.lines = append(s.lines, "", reverse.Styled(text+strings.Repeat(" ", max(0, s.width-ansi.StringWidth(text)))))
}

// name returns text of at most 24 columns.
func name(text string) string { return ansi.Truncate(shown(text), 24, "…") }

// view returns the screen, at most width columns and exactly height lines.
func (s topState) view(width, height int) string {
	out := &screen{width: width}
	s.head(out)
	out.title("%-24s %9s %9s %6s %9s %8s %9s %9s %9s %7s", "SERVER", "HITS/S", "MISSES/S", "HIT%", "OPS/S", "EVICT/S", "ENTRIES", "BYTES", "LIMIT", "CLIENTS")
	for _, a := range s.activity {
		out.add("%-24s %9s %9s %6s %9s %8s %9s %9s %9s %7s", name(cmp.Or(a.server, s.backend)), decimal(a.hits), decimal(a.misses), decimal(100*a.ratio()),
			decimal(a.operations), decimal(a.evictions), whole(a.entries), size(a.bytes), limit(a.maxBytes), whole(a.clients))
	}
	if commands := slowest(s.activity); len(commands) > 0 {
		out.title("%-24s %9s %9s", "SLOWEST COMMAND", "CALLS/S", "AVERAGE")
		for _, c := range commands[:min(len(commands), 5)] {
			out.add("%-24s %9s %9s", name(c.name), decimal(c.calls), shownLatency(c.average))
		}
	}
	if s.sample != nil {
		s.sample.show(out)
	}
	body := max(height-1, 1)
	for len(out.lines) < body {
		out.lines = append(out.lines, "")
	}
	out.lines = out.lines[:body]
	out.add("q quit   p pause   r scan again")
	return strings.Join(out.lines, "\n")
}

func (s topState) head(out *screen) {
	scope, state := "all keys", "every "+s.interval.String()
	if s.prefix != "" {
		scope = "prefix " + shown(s.prefix)
	}
	if s.paused {
		state = "paused"
	}
	out.add("%s  %s, %s, %s", bold.Styled("cachectl top"), s.backend, scope, state)
	switch {
	case s.now.at.IsZero():
		out.add("waiting for the store")
	case s.now.err != nil:
		out.add("%s", red.Styled(shown(s.now.err.Error())))
	default:
		out.add("ping %s at %s", shownLatency(s.now.latency), s.now.at.Format(time.TimeOnly))
	}
}

// show adds the largest prefixes and entries.
func (found *sample) show(out *screen) {
	total := found.usage.total
	scope := fmt.Sprintf("of the first %d entries", total.entries)
	if found.complete {
		scope = fmt.Sprintf("of %d entries", total.entries)
	}
	if found.err != nil {
		out.title("LARGEST PREFIXES")
		out.add("%s", shown(found.err.Error()))
		return
	}
	out.title("%-24s %9s %9s %9s   %s", "LARGEST PREFIX", "BYTES", "ENTRIES", "NEVER", scope)
	for i, group := range found.usage.largest() {
		if i == 8 {
			break
		}
		out.add("%-24s %9s %9d %9d", name(cmp.Or(group.name, "(no separator)")), byteCount{human: true}.text(group.known()), group.entries, group.withoutTTL)
	}
	out.title("%-24s %9s %9s", "LARGEST ENTRY", "BYTES", "TTL")
	for _, entry := range found.largest {
		out.add("%-24s %9s %9s", name(entry.Key), byteCount{human: true}.text(entry.Size), shownTTL(entry.TTL))
	}
}

// slowest returns the commands of all servers together, the slowest first.
func slowest(all []activity) []commandActivity {
	sums := make(map[string]commandActivity)
	for _, a := range all {
		for _, c := range a.commands {
			sum := sums[c.name]
			calls := sum.calls + c.calls
			average := (float64(sum.average)*sum.calls + float64(c.average)*c.calls) / calls
			sums[c.name] = commandActivity{c.name, calls, time.Duration(average)}
		}
	}
	return slices.SortedFunc(maps.Values(sums), func(a, b commandActivity) int {
		return cmp.Or(cmp.Compare(b.average, a.average), cmp.Compare(a.name, b.name))
	})
}

// decimal returns "?" for a number that is unknown.
func decimal(n float64) string {
	if math.IsNaN(n) {
		return "?"
	}
	return fmt.Sprintf("%.1f", n)
}

func whole(n float64) string {
	if math.IsNaN(n) {
		return "?"
	}
	return fmt.Sprintf("%.0f", n)
}

func size(bytes float64) string {
	if math.IsNaN(bytes) {
		return "?"
	}
	return withUnit(int64(bytes))
}

func limit(bytes float64) string {
	if bytes == 0 {
		return "none"
	}
	return size(bytes)
}
