package main

import (
	"fmt"
	"io"
	"path"
	"strings"
	"text/tabwriter"

	"golang.org/x/perf/benchmath"

	"github.com/cachebackends/cachebackends/tools/bench/internal/loads"
	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
	"github.com/cachebackends/cachebackends/tools/bench/internal/memory"
	"github.com/cachebackends/cachebackends/tools/bench/internal/report"
)

// goal is a bound on one of our peers in each series that matches, on each number of
// processors.
type goal struct {
	series string // pattern as of path.Match
	ours   string // names, separated by commas
	bound
	most  float64
	peers string // patterns, of which the best peer is compared with
}

// bound is what may be at most so much.
type bound struct {
	name  string
	unit  string
	value func(ours, best *measure.Peer) benchmath.Summary
}

var (
	timeOf   = relative("time relative to", measure.Time)
	memoryOf = relative("memory relative to", memory.PerEntry)
	above    = bound{"time above", measure.Time, func(ours, best *measure.Peer) benchmath.Summary {
		return ours.Difference(best, measure.Time)
	}}
	hitsBehind = bound{"hit points behind", memory.HitPercent, func(ours, best *measure.Peer) benchmath.Summary {
		return best.Difference(ours, memory.HitPercent)
	}}
	allocs         = absolute("allocations", measure.Allocs)
	bytesAllocated = absolute("bytes allocated", measure.Bytes)
	loadsPerExpiry = absolute("loads per expiry", loads.PerExpiry)
	errorsSeen     = absolute("errors", loads.Errors)
	callsPerSecond = absolute("calls of the source per second", loads.PerSecond)
	p99            = absolute("p99", loads.P99)
	p99Of          = relative("p99 relative to", loads.P99)
)

func absolute(name, unit string) bound {
	return bound{name, unit, func(ours, _ *measure.Peer) benchmath.Summary { return ours.Estimate(unit) }}
}

func relative(name, unit string) bound {
	return bound{name, unit, func(ours, best *measure.Peer) benchmath.Summary { return ours.Ratio(best, unit) }}
}

var goals = []goal{
	{"Hit/*", "simple,simple-view,simple-string", allocs, 0, ""},
	{"Hit/*", "simple-string", timeOf, 1.4, "simple"},
	{"Copy/bytes=1KiB/*", "simple-string", timeOf, 0.15, "bigcache"},
	{"Copy/bytes=1KiB/*", "simple-string", timeOf, 0.15, "freecache"},
	{"Hit/entries=500", "simple,simple-view", timeOf, 0.45, "otter*"},
	{"Hit/entries=1M", "simple,simple-view", timeOf, 0.75, "otter*"},
	{"Mix/writes=[15]0/entries=500", "simple,simple-view", timeOf, 0.56, bounded},
	{"Mix/writes=[15]0/entries=1M", "simple,simple-view", timeOf, 0.87, bounded},
	{"Copy/*/*", "simple-copy", timeOf, 0.5, "bigcache"},
	{"Copy/*/*", "simple-copy", timeOf, 0.5, "freecache"},
	{"Copy/*/*", "simple-buffer", timeOf, 0.5, "freecache-buffer"},
	{"Ratio/*", "simple", hitsBehind, 0.5, counted},
	{"Ratio/scans/*", "simple", hitsBehind, 0.5, counted},
	{"Ratio/sizes/*", "simple-bytes", hitsBehind, 0.5, weighed},
	{"Ratio/sizes/scans/*", "simple-bytes", hitsBehind, 0.5, weighed},
	{"Memory/*", "simple", memoryOf, 1, "otter-expiry"},
	{"Hit/entries=500", "simple-view", above, 15e-9, "simple"},
	{"Copy/bytes=100B/*", "simple-buffer", above, 15e-9, "simple"},
	{"Copy/*/*", "simple-buffer", allocs, 0, ""},

	{"File/*/get/*", "filesystem", timeOf, 0.7, "raw"},
	{"File/*/set/*", "filesystem", timeOf, 1.1, "raw"},
	{"File/*/create/*", "filesystem", timeOf, 1.1, "raw"},

	{"Redis/[gs]et/callers=*", "redis", timeOf, 1.05, "go-redis"},
	{"Redis/[gs]et/callers=64", "redis", timeOf, 0.4, "go-redis"},
	{"Redis/[gs]et/callers=64", "redis", timeOf, 1, "rueidis"},
	{"Redis/*many/keys=100", "redis", timeOf, 1.1, "go-redis"},

	{"Memcached/[gs]et/callers=1", "memcached", timeOf, 1.05, "gomemcache"},
	{"Memcached/[gs]et/callers=16", "memcached", timeOf, 0.59, "gomemcache"},
	{"Memcached/[gs]et/callers=64", "memcached", timeOf, 0.33, "gomemcache"},
	{"Memcached/[sd]e*many/keys=100", "memcached", timeOf, 0.05, "gomemcache"},
	{"Memcached/append/bytes=64KiB", "memcached", bytesAllocated, 2 << 10, ""},
	{"Memcached/append/bytes=1M", "memcached", bytesAllocated, 16 << 10, ""},
	{"Memcached/append/bytes=*", "memcached", timeOf, 1, "gomemcache"},
	{"Memcached/set/bytes=*", "memcached", bytesAllocated, 2 << 10, ""},

	{"Uwsgi/[gs]et/callers=1", "uwsgi", timeOf, 1.1, "raw-uwsgi"},
	{"Uwsgi/getmany/keys=100", "uwsgi", timeOf, 0.5, "raw-uwsgi"},
	{"Uwsgi/append/bytes=32KiB", "uwsgi", bytesAllocated, 4 << 10, ""},
	{"Uwsgi/append/bytes=32KiB", "uwsgi", timeOf, 1.1, "raw-uwsgi"},
	{"Uwsgi/set/bytes=32KiB", "uwsgi", bytesAllocated, 4 << 10, ""},

	{"Gcs/[gs]et/callers=1", "gcs", timeOf, 1.05, "raw-http"},
	{"Gcs/*/*many/keys=100", "gcs", timeOf, 1.05, "raw-http"},

	{"Loaded/*", "simple-loader", above, 30e-9, "simple-view"},
	{"Loaded/*", "simple-loader", allocs, 0, ""},
	{"Observed/*", "simple-none,simple-empty,simple-log,simple-stats,simple-prometheus,simple-otel-metrics", allocs, 0, ""},
	{"Observed/*", "simple-otel-unsampled", allocs, 3, ""}, // of the SDK
	{"Observed/*", "simple-otel-traces", allocs, 6, ""},
	{"Expiry/*", "GetOrSet-lease,loader", loadsPerExpiry, 1, ""},
	{"Expiry/simple", "loader", p99, 1e-3, ""},
	{"Expiry/redis", "loader", p99Of, 3, "round-trip"},
	{"Outage/*", "loader", errorsSeen, 0, ""},
	{"Outage/*", "loader", callsPerSecond, 4.67, ""}, // of 4 processes: one at once and one after each second of a quick run
}

// checkGoals writes a line for each goal that the cases, which may be some of all, can
// answer, and reports whether all are met.
func checkGoals(w io.Writer, cases []*measure.Case) bool {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "series\tpeer\tgoal\tat most\treached\tinterval\t")
	all := true
	for _, g := range goals {
		for _, c := range cases {
			if is, _ := path.Match(g.series, c.Series); !is {
				continue
			}
			best := c.Best(g.unit, strings.Split(g.peers, ",")...)
			if best == nil && g.peers != "" {
				continue
			}
			text := g.name
			if best != nil {
				text += " " + best.Name
			}
			for _, name := range strings.Split(g.ours, ",") {
				ours := c.Peer(name)
				if ours == nil || len(ours.Values[g.unit]) == 0 {
					continue
				}
				value, verdict := g.value(ours, best), "met"
				if value.Center > g.most {
					all, verdict = false, "missed"
				}
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s to %s\t%s\n", c, name, text, g.show(g.most), g.show(value.Center), g.show(value.Lo), g.show(value.Hi), verdict)
			}
		}
	}
	t.Flush()
	return all
}

// show writes a ratio or a count with three digits and a time with its unit.
func (b bound) show(value float64) string {
	if b.name == above.name || b.name == p99.name {
		return report.Quantity(value, b.unit)
	}
	return fmt.Sprintf("%.3g", value)
}
