package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/cachebackends/cachebackends/tools/bench/chart"
)

// section is how one group of series is shown.
type section struct {
	group, title, text string
	cell               func(r, base *result) string
	samples            func(r, base *result) []float64 // of a bar
	format             func(float64) string
	mark               float64 // where the chart has a line across
}

const (
	timeText   = "Time in terms of the first row's, and how far the middle half of the rounds reaches from the median. "
	remoteText = timeText + "Allocations, and bytes of them, are those of the client. Operation, callers at a time or keys of a batch."
)

var sections = []section{
	{"Hit", "A hit", timeText + "Entries, then processors.", timeCell, timeRatios, times, 1},
	{"Mix", "Reads and writes of entries that are there", timeText + "Percentages of reads and writes, entries, processors.", timeCell, timeRatios, times, 1},
	{"Ratio", "Hit ratio", "Percent of reads that hit, room for a tenth of the keys of a Zipf distribution (1.01), without and with scans; entries. In parentheses the time of one access.", ratioCell, extras(hitUnit), percent, 0},
	{"Bytes", "Memory of an entry", fmt.Sprintf("Bytes of heap per entry of a full store, with its %d-byte key and %d-byte value.", keySize, valueSize), bytesCell, extras(bytesUnit), plain, 0},
	{"Copy", "A hit that copies", timeText + "Bytes, entries, processors.", timeCell, timeRatios, times, 1},
	{"View", "The cost of our own layer", timeText + "From a view, Cache or the bare backend to memory and to the socket. A user is a struct of five fields.", remoteCell, timeRatios, times, 1},
	{"File", "Files", timeText + "Operation and file system, bytes.", timeCell, timeRatios, times, 1},
	{"Redis", "Redis", remoteText, remoteCell, timeRatios, times, 1},
	{"Memcached", "Memcached", remoteText, remoteCell, timeRatios, times, 1},
	{"Uwsgi", "uWSGI over TCP", remoteText, remoteCell, timeRatios, times, 1},
	{"UwsgiUnix", "uWSGI over a unix socket", remoteText, remoteCell, timeRatios, times, 1},
	{"Gcs", "Google Cloud Storage", remoteText, remoteCell, timeRatios, times, 1},
	{"Original", "Against Flask-Caching", timeText + "The same loop in Python with flask_caching and here through Cache: values of 100 bytes, batches of 100, one caller. Backend and operation.", remoteCell, timeRatios, times, 1},
}

func (s section) part(columns []*comparison) part {
	p := part{ID: strings.ToLower(s.group), Title: s.title, Text: s.text}
	p.Figures = []figure{{p.ID, s.chart(columns)}}
	p.Tables = []table{s.table(columns)}
	return p
}

// table shows peers and comparisons.
func (s section) table(columns []*comparison) table {
	head := []string{"peer"}
	for _, c := range columns {
		head = append(head, strings.TrimPrefix(c.String(), s.group+"/"))
	}
	t := table{head}
	for _, peer := range peersOf(columns) {
		row := []string{peer}
		for _, c := range columns {
			cell := "-"
			if r := c.byPeer[peer]; r != nil {
				cell = s.cell(r, c.inTurn[0])
			}
			row = append(row, cell)
		}
		t = append(t, row)
	}
	return t.upright()
}

// peersOf returns those of all columns, in turn.
func peersOf(columns []*comparison) []string {
	var names []string
	for _, c := range columns {
		for _, r := range c.inTurn {
			if !slices.Contains(names, r.Peer) {
				names = append(names, r.Peer)
			}
		}
	}
	return names
}

// chart has a panel for each comparison, the best first.
func (s section) chart(columns []*comparison) chart.Image {
	b := chart.Bars{Title: s.title, Subtitle: s.caption(columns), Mark: s.mark, Format: s.format}
	severalProcs := slices.ContainsFunc(columns, func(c *comparison) bool { return c.procs != columns[0].procs })
	for _, c := range columns {
		p := chart.BarPanel{Title: c.caption(severalProcs)}
		for _, r := range c.inTurn {
			if samples := s.samples(r, c.inTurn[0]); len(samples) > 0 {
				p.Bars = append(p.Bars, chart.Bar{Label: r.Peer, Kind: kindOf(r.Peer), Value: median(samples), Low: slices.Min(samples), High: slices.Max(samples)})
			}
		}
		slices.SortStableFunc(p.Bars, func(a, b chart.Bar) int { return cmp.Compare(a.Value, b.Value) })
		b.Panels = append(b.Panels, p)
	}
	b.Columns = min(3, len(b.Panels))
	return b.Draw()
}

// caption says what the bars are.
func (s section) caption(columns []*comparison) string {
	if s.mark == 0 {
		return s.text
	}
	return fmt.Sprintf("Time in terms of %s's: shorter is better. Medians of the rounds, thin lines from the best to the worst.", columns[0].inTurn[0].Peer)
}

// timeCell shows the first row's own time, and how many times that the others take.
func timeCell(r, base *result) string {
	text := fmt.Sprintf("%.2f", r.timeAgainst(base)) + plusMinus(r.ratios(base))
	if r == base {
		text = fmt.Sprintf("1 (%s%s)", duration(r.ns()), plusMinus(r.NsPerOp))
	}
	if hit := r.extra(hitUnit); hit < 99.95 {
		text += fmt.Sprintf(", %.1f %% hits", hit)
	}
	return text
}

func plusMinus(samples []float64) string {
	if len(samples) < 2 {
		return ""
	}
	return fmt.Sprintf(" ±%.0f%%", deviation(samples))
}

func ratioCell(r, _ *result) string {
	return fmt.Sprintf("%.1f (%s)", r.extra(hitUnit), duration(r.extra(accessUnit)))
}

func remoteCell(r, base *result) string {
	text := timeCell(r, base)
	if r.Allocs != elsewhere {
		text += fmt.Sprintf(", %d allocs, %s", r.Allocs, byteCount(float64(r.garbage())))
	}
	return text
}

func bytesCell(r, _ *result) string { return fmt.Sprintf("%.0f", r.extra(bytesUnit)) }

func timeRatios(r, base *result) []float64 { return r.ratios(base) }

func extras(unit string) func(r, _ *result) []float64 {
	return func(r, _ *result) []float64 { return r.Extra[unit] }
}
