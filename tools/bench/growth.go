package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/cachebackends/cachebackends/tools/bench/chart"
)

// growth is how a group of series is shown whose sizes grow.
type growth struct {
	group, title, text string
	of                 string                  // what cost is counted by
	items              func(x float64) float64 // of one operation
	whole              bool                    // the chart shows operations, not items
	formatX            func(float64) string
	explained          map[string]string // why a curve, "name/peer", may have a cliff
}

func one(float64) float64    { return 1 }
func each(x float64) float64 { return x }

var growths = []growth{
	{group: "Callers", title: "Growth with callers", of: "call", items: one, formatX: count,
		text: "Time by call where so many callers read 100 bytes at a time: the time of the run by the number of calls."},
	{group: "Batch", title: "Growth with the keys of a batch", of: "key", items: each, formatX: count,
		text: "Time by key, values of 100 bytes, one caller."},
	{group: "Value", title: "Growth with the bytes of a value", of: "byte", items: each, whole: true, formatX: byteCount,
		text: "Time of an operation by one caller; in the table by byte."},
	{group: "Entries", title: "Growth with the entries of simple", of: "operation", items: one, formatX: count,
		text: "Time of a read and of a replacement, all keys equally likely, one processor."},
	{group: "Directory", title: "Growth with the files of a directory", of: "file", items: one, formatX: count,
		text: "Time by file. set fills an empty directory; get reads any file; open opens the directory and stores once; evict stores into a full one, an eighth more than fit; clear empties it. raw is the system calls alone: open lists the names.",
		explained: map[string]string{
			"filesystem/get":   "what the system keeps of so many files is more than the processor's caches hold",
			"filesystem/evict": "an eviction looks at the time of every file, which is eight by each that is stored, and what the system keeps of so many is more than the processor's caches hold",
		}},
}

// cliff is the step from which on it has to be explained: the cost of an item at a
// size in terms of that at the size before.
const cliff = 2

// curve is what grows: the cost by item of a peer in the series of one name.
type curve struct {
	name, peer string
	ours       bool
	points     []costPoint
}

type costPoint struct {
	x       float64
	samples []float64 // ns by item, one a round
}

func (p costPoint) cost() float64 { return median(p.samples) }

func (g growth) curves(comparisons []*comparison) []*curve {
	var all []*curve
	for _, c := range comparisons {
		name, size := c.split()
		x, err := strconv.ParseFloat(size, 64)
		if err != nil {
			continue
		}
		for _, r := range c.inTurn {
			at := slices.IndexFunc(all, func(c *curve) bool { return c.name == name && c.peer == r.Peer })
			if at < 0 {
				at = len(all)
				ours := kindOf(r.Peer) == chart.Ours || kindOf(name) == chart.Ours && g.group == "Directory"
				all = append(all, &curve{name: name, peer: r.Peer, ours: ours})
			}
			samples := r.Extra[itemUnit]
			if samples == nil {
				for _, ns := range r.NsPerOp {
					samples = append(samples, ns/g.items(x))
				}
			}
			all[at].points = append(all[at].points, costPoint{x, samples})
		}
	}
	slices.SortStableFunc(all, func(a, b *curve) int { return cmp.Compare(a.name, b.name) })
	for _, c := range all {
		slices.SortFunc(c.points, func(a, b costPoint) int { return cmp.Compare(a.x, b.x) })
	}
	return all
}

func (g growth) part(comparisons []*comparison) part {
	curves := g.curves(comparisons)
	p := part{ID: strings.ToLower(g.group), Title: g.title, Text: g.text}
	p.Figures = []figure{{"growth-" + p.ID, g.chart(curves)}}
	p.Tables = []table{g.table(curves)}
	for _, s := range g.steps(curves) {
		p.Notes = append(p.Notes, g.note(s))
	}
	if len(p.Notes) == 0 {
		p.Notes = []string{fmt.Sprintf("No cliff: nowhere does the cost by %s grow to more than %d times that of the size before.", g.of, cliff)}
	}
	return p
}

func (g growth) chart(curves []*curve) chart.Image {
	l := chart.Lines{Title: g.title, Subtitle: g.text, FormatX: g.formatX, FormatY: duration}
	var others []string // a colour each, the same in all panels
	for _, c := range curves {
		if kindOf(c.peer) == chart.Peer && !slices.Contains(others, c.peer) {
			others = append(others, c.peer)
		}
		if last := len(l.Panels) - 1; last < 0 || l.Panels[last].Title != c.name {
			l.Panels = append(l.Panels, chart.LinePanel{Title: c.name})
		}
		panel := &l.Panels[len(l.Panels)-1]
		line := chart.Line{Label: c.peer, Kind: kindOf(c.peer)}
		if line.Kind == chart.Peer {
			line.Kind = chart.Others(slices.Index(others, c.peer))
		}
		for _, p := range c.points {
			by := 1.0
			if g.whole {
				by = g.items(p.x)
			}
			line.Points = append(line.Points, chart.Point{X: p.x, Y: by * p.cost(), Low: by * slices.Min(p.samples), High: by * slices.Max(p.samples)})
		}
		panel.Lines = append(panel.Lines, line)
	}
	return l.Draw()
}

// table shows the cost of an item at the smallest size, and at the others in terms
// of that.
func (g growth) table(curves []*curve) table {
	var sizes []float64
	for _, c := range curves {
		for _, p := range c.points {
			if !slices.Contains(sizes, p.x) {
				sizes = append(sizes, p.x)
			}
		}
	}
	slices.Sort(sizes)
	head := []string{"by " + g.of}
	for _, x := range sizes {
		head = append(head, g.formatX(x))
	}
	t := table{head}
	for _, c := range curves {
		row := []string{c.name + ", " + c.peer}
		for _, x := range sizes {
			cell := "-"
			if at := slices.IndexFunc(c.points, func(p costPoint) bool { return p.x == x }); at == 0 {
				cell = "1 (" + duration(c.points[0].cost()) + ")"
			} else if at > 0 {
				cell = digits(c.points[at].cost() / c.points[0].cost())
			}
			row = append(row, cell)
		}
		t = append(t, row)
	}
	return t
}

// step is a cliff of ours.
type step struct {
	*curve
	at     int // of the point that is dearer than the one before
	factor float64
	why    string // empty where nothing explains it
}

func (c *curve) factor(at int) float64 { return c.points[at].cost() / c.points[at-1].cost() }

func (g growth) steps(curves []*curve) []step {
	var steps []step
	for _, c := range curves {
		for at := 1; at < len(c.points) && c.ours; at++ {
			if factor := c.factor(at); factor > cliff {
				steps = append(steps, step{c, at, factor, g.why(curves, c, at, factor)})
			}
		}
	}
	return steps
}

// why looks for others whose cost steps at the same place, nearly as much: it is
// then the machine's or the server's.
func (g growth) why(curves []*curve, ours *curve, at int, factor float64) string {
	var others []string
	for _, c := range curves {
		comparable := c.name == ours.name && !c.ours || g.group == "Directory" && c.peer == ours.peer && !c.ours
		if !comparable {
			continue
		}
		same := slices.IndexFunc(c.points, func(p costPoint) bool { return p.x == ours.points[at].x })
		if same > 0 && c.points[same-1].x == ours.points[at-1].x && c.factor(same) > 0.7*factor {
			name := c.peer
			if c.name != ours.name {
				name = c.name + "'s " + c.peer
			}
			others = append(others, fmt.Sprintf("%s (%s)", name, times(c.factor(same))))
		}
	}
	if len(others) > 0 {
		return "so does that of " + strings.Join(others, " and of ")
	}
	return g.explained[ours.name+"/"+ours.peer]
}

func (g growth) note(s step) string {
	text := fmt.Sprintf("%s, %s: from %s to %s the cost by %s grows to %s", s.name, s.peer,
		g.formatX(s.points[s.at-1].x), g.formatX(s.points[s.at].x), g.of, times(s.factor))
	if s.why == "" {
		return text + ": **not explained**."
	}
	return text + ": " + s.why + "."
}

// growthGoals are that every cliff is explained.
func growthGoals(all []*comparison) []goal {
	var goals []goal
	for _, g := range growths {
		points := ofGroup(all, g.group)
		if len(points) == 0 {
			continue
		}
		unexplained := 0
		for _, s := range g.steps(g.curves(points)) {
			if s.why == "" {
				unexplained++
			}
		}
		goals = append(goals, atMost(0, float64(unexplained), "%s: cliffs that nothing explains", g.group))
	}
	return goals
}

// longestText shows how long a single call was.
func longestText(r *result) string {
	if longest := r.extra(longestUnit); !math.IsNaN(longest) {
		return duration(longest)
	}
	return "-"
}
