package memory

import (
	"strconv"
	"strings"
	"testing"

	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

// Units of what is measured besides the time and allocations of an operation.
const (
	HitPercent = "hit%"
	PerEntry   = "B/entry"
	perRead    = "ns/access"
)

// Ratios replay a trace against an empty store.
func Ratios(group string, entries ...int) []measure.Series {
	var all []measure.Series
	for _, n := range entries {
		for _, scans := range []bool{false, true} {
			all = append(all, ratios(group, n, scans))
		}
	}
	return all
}

func ratios(group string, entries int, scans bool) measure.Series {
	s := measure.Series{Name: group + "/" + sized(entries) + "/scans=" + strconv.FormatBool(scans)}
	if entries >= 100_000 { // one replay is longer than a turn
		s.MaxRounds, s.Heavy = 2, true
	}
	var t workload.Trace
	s.Setup = func() (func(), error) {
		t = workload.NewTrace(entries, max(30*entries, 1_000_000), scans, 1)
		return func() { t = workload.Trace{} }, nil
	}
	for _, p := range Peers {
		if p.bound != byEntries || p.ours() && p.Name != "simple" {
			continue // no bound to compare, or the evictions of simple
		}
		s.Lanes = append(s.Lanes, p.lane(func() (func(*testing.B), func(), error) {
			run := func(b *testing.B) {
				value := make([]byte, workload.ValueSize)
				sum, replays := 0.0, 0
				for b.Loop() {
					st, err := p.open(entries, len(value))
					if err != nil {
						measure.Fail(b, err)
					}
					sum += replay(t, st, value)
					replays++
					st.close()
				}
				b.ReportMetric(sum/float64(replays), HitPercent)
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(replays*len(t.IDs)), perRead)
			}
			return run, func() {}, nil
		}))
	}
	return s
}

// replay reads every key of the trace, stores what is missing, and returns the
// percentage of hits. Misses of a scan, which nobody can avoid, do not count.
func replay(t workload.Trace, s store, value []byte) float64 {
	hits, reads := 0, 0
	for i, id := range t.IDs {
		key := t.Keys[id]
		_, ok := s.get(key)
		if !ok {
			s.set(strings.Clone(key), value)
		}
		if i < t.WarmUp || int(id) >= t.Universe {
			continue
		}
		reads++
		if ok {
			hits++
		}
	}
	return 100 * float64(hits) / float64(reads)
}
