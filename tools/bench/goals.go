package main

import (
	"fmt"
	"io"
	"math"
	"path"
	"strings"
	"text/tabwriter"

	"golang.org/x/perf/benchmath"

	"github.com/cachebackends/cachebackends/tools/bench/internal/breaker"
	"github.com/cachebackends/cachebackends/tools/bench/internal/coherence"
	"github.com/cachebackends/cachebackends/tools/bench/internal/loads"
	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
	"github.com/cachebackends/cachebackends/tools/bench/internal/memory"
	"github.com/cachebackends/cachebackends/tools/bench/internal/report"
	"github.com/cachebackends/cachebackends/tools/bench/internal/stores"
)

// goal is a bound on one of our peers in each series that matches, on each number of
// processors.
type goal struct {
	series string // pattern as of path.Match
	ours   string // names, separated by commas
	bound
	most  float64
	peers string // patterns, of which the best peer is compared with; or oneProcessor
}

// oneProcessor compares a peer on more processors with itself on one.
const oneProcessor = "one processor"

// bound is what may be at most so much.
type bound struct {
	name  string
	unit  string
	value func(ours, best *measure.Peer) benchmath.Summary
}

var (
	timeOf   = relative("time relative to", measure.Time)
	memoryOf = relative("memory relative to", memory.PerEntry)
	cpuOf    = relative("collector's CPU relative to", memory.CPUPerCycle)
	stopOf   = relative("longest stop relative to", memory.LongestStop)
	above    = bound{"time above", measure.Time, func(ours, best *measure.Peer) benchmath.Summary {
		return ours.Difference(best, measure.Time)
	}}
	hitsBehind = bound{"hit points behind", memory.HitPercent, func(ours, best *measure.Peer) benchmath.Summary {
		return best.Difference(ours, memory.HitPercent)
	}}
	allocs         = absolute("allocations", measure.Allocs)
	allocsOf       = relative("allocations relative to", measure.Allocs)
	bytesAllocated = absolute("bytes allocated", measure.Bytes)
	heapBeside     = bound{"heap beside the bound", memory.HeapAtBound, func(ours, _ *measure.Peer) benchmath.Summary {
		return ours.Map(memory.HeapAtBound, func(heap float64) float64 { return math.Abs(heap/memory.Bound - 1) })
	}}
	untilFreed     = absolute("time until freed", memory.UntilFreed)
	loadsPerExpiry = absolute("loads per expiry", loads.PerExpiry)
	errorsSeen     = absolute("errors", loads.Errors)
	callsPerSecond = absolute("calls of the source per second", loads.PerSecond)
	p99            = absolute("p99", loads.P99)
	stalest        = absolute("longest staleness", coherence.Staleness)
	firstP99       = absolute("p99 of the first calls", breaker.First)
	thenP99        = absolute("p99 of the calls then", breaker.Then)
	slowdown       = absolute("times as slow", breaker.Slowdown)
	p99Of          = relative("p99 relative to", loads.P99)

	timePerCall = absolute("time", measure.Time)
	longest     = absolute("longest call", stores.Longest)
	p999        = absolute("medians at p99.9", stores.P999)
	perEntryOf  = relative("time per entry relative to", stores.PerEntry)
	thresholds  = absolute("entries in thresholds", stores.OverThreshold)
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
	{"Mix/writes=100/*", "simple", timeOf, 1 / 1.7, oneProcessor},
	{"Create/*", "simple", timeOf, 1 / 1.7, oneProcessor},
	{"Copy/*/*", "simple-copy", timeOf, 0.5, "bigcache"},
	{"Copy/*/*", "simple-copy", timeOf, 0.5, "freecache"},
	{"Copy/*/*", "simple-buffer", timeOf, 0.5, "freecache-buffer"},
	{"Ratio/*", "simple", hitsBehind, 0.5, counted},
	{"Ratio/scans/*", "simple", hitsBehind, 0.5, counted},
	{"Ratio/sizes/*", "simple-bytes", hitsBehind, 0.5, weighed},
	{"Ratio/sizes/scans/*", "simple-bytes", hitsBehind, 0.5, weighed},
	{"Memory/*", "simple", memoryOf, 1, "otter-expiry"},
	{"Bound/*", "simple-bytes", heapBeside, 0.1, ""},
	{"Freed/*", "simple", untilFreed, 60, ""},
	{"Collector/*", "simple", cpuOf, 1, "otter*"},
	{"Collector/*", "simple", stopOf, 1.25, "otter*"}, // the next bin of runtime/metrics
	{"Hit/entries=500", "simple-view", above, 15e-9, "simple"},
	{"Copy/bytes=100B/*", "simple-buffer", above, 15e-9, "simple"},
	{"Copy/*/*", "simple-buffer", allocs, 0, ""},

	{"File/*/get/*", "filesystem", timeOf, 0.7, "raw"},
	{"File/*/set/*", "filesystem", timeOf, 1.1, "raw"},
	{"File/*/create/*", "filesystem", timeOf, 1.1, "raw"},
	{"File/*/append/bytes=64KiB", "filesystem", timeOf, 0.5, "raw"},
	{"File/*/append/*", "filesystem", allocs, 0, ""},
	{"File/*/append/*", "filesystem", bytesAllocated, 1 << 10, ""}, // of a buffer that every processor allocates once

	{"Directory/*/full/entries=1M", "filesystem", longest, 10e-3, ""},
	{"Directory/*/full/entries=1M", "filesystem", p999, 3, ""},
	{"Directory/*/open/*", "filesystem", timePerCall, 50e-3, ""},
	{"Directory/*/clear/entries=1*[kM]", "filesystem", perEntryOf, 2, "raw"},
	{"Directory/*/clearprefix/entries=1*[kM]", "filesystem", perEntryOf, 2, "raw"},
	{"Directory/*/create/processes=2", "filesystem", timeOf, 1 / 1.6, "filesystem-alone"},
	{"Directory/*/full/processes=4", "filesystem", thresholds, 1.375, ""}, // as documented: three eighths by the others

	{"Redis/[gs]et/callers=*", "redis", timeOf, 1.05, "go-redis"},
	{"Redis/[gs]et/callers=64", "redis", timeOf, 0.4, "go-redis"},
	{"Redis/[gs]et/callers=64", "redis", timeOf, 1, "rueidis"},
	{"Redis/getmany/keys=100", "redis", timeOf, 1.1, "go-redis"},
	{"Redis/setmany/keys=100", "redis", timeOf, 1.05, "go-redis"},
	{"Redis/setmany/keys=100", "redis", allocsOf, 1, "go-redis"},
	{"Redis/get/callers=1", "redis", allocs, 3, ""},
	{"Redis/append/bytes=1MiB", "redis", timeOf, 0.65, "go-redis"},
	{"Redis/append/bytes=1MiB", "redis", bytesAllocated, 2 << 10, ""},
	{"Redis/set/bytes=1MiB", "redis", bytesAllocated, 2 << 10, ""},
	{"Redis/[dat]*/callers=1", "redis", timeOf, 1.05, "go-redis"},
	{"Redis/[dat]*/callers=64", "redis", timeOf, 0.5, "go-redis"},
	{"RedisCluster/[gs]et/callers=1", "redis", timeOf, 1.05, "go-redis"},
	{"RedisCluster/[gs]et/callers=64", "redis", timeOf, 0.5, "go-redis"},

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
	{"Gcs/*/[gs]etmany/keys=100", "gcs", timeOf, 1.05, "raw-http"},
	{"Gcs/*/deletemany/keys=100", "gcs", timeOf, 2 * 1.05, "raw-http"}, // a delete reads the generation first

	{"Loaded/*", "simple-loader", above, 30e-9, "simple-view"},
	{"Loaded/*", "simple-loader", allocs, 0, ""},
	{"Observed/*", "simple-none,simple-empty,simple-log,simple-stats,simple-prometheus,simple-otel-metrics", allocs, 0, ""},
	{"Observed/*", "simple-otel-unsampled", allocs, 3, ""}, // of the SDK
	{"Observed/*", "simple-otel-traces", allocs, 6, ""},
	{"Expiry/*", "GetOrSet-lease,loader", loadsPerExpiry, 1, ""},
	{"Expiry/simple", "loader", p99, 1e-3, ""},
	{"Expiry/redis", "loader", p99Of, 3, "round-trip"},
	{"Tiered/hit/*", "tiered", timeOf, 1.15, "simple-view"},
	{"Tiered/hit/*", "tiered", timeOf, 1, "rueidis"},
	{"Tiered/hit/*", "tiered", allocs, 0, ""},
	{"Tiered/cut/*", "tiered", stalest, coherence.Grace.Seconds(), ""},
	{"Guard/blackhole/*", "guard", firstP99, 1.1 * breaker.Budget.Seconds(), ""}, // a call ends after its budget, not before
	{"Guard/blackhole/*", "guard", thenP99, 100e-6, ""},
	{"Guard/others/*", "guard", slowdown, 1 / 0.9, ""},
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
			best, rival := c.Best(g.unit, strings.Split(g.peers, ",")...), g.peers
			if best != nil {
				rival = best.Name
			}
			text := strings.TrimRight(g.name+" "+rival, " ")
			for _, name := range strings.Split(g.ours, ",") {
				ours := c.Peer(name)
				if ours == nil || len(ours.Values[g.unit]) == 0 {
					continue
				}
				if g.peers == oneProcessor {
					best = onOneProcessor(cases, c, name)
				}
				if best == nil && g.peers != "" {
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

// onOneProcessor returns the peer in the same series on one processor, nil if c is that
// case or there is none.
func onOneProcessor(cases []*measure.Case, c *measure.Case, name string) *measure.Peer {
	for _, other := range cases {
		if other.Series == c.Series && other.Procs == 1 && c.Procs > 1 {
			return other.Peer(name)
		}
	}
	return nil
}

// show writes a ratio or a count with three digits and a time with its unit.
func (b bound) show(value float64) string {
	if strings.HasPrefix(b.unit, "sec") && !strings.HasSuffix(b.name, "relative to") {
		return report.Quantity(value, b.unit)
	}
	return fmt.Sprintf("%.3g", value)
}
