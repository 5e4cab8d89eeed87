package memory

import (
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

// Units of what is measured besides the time and allocations of an operation.
const (
	HitPercent = "hit%"
	PerEntry   = "B/entry"
)

// Ratios replay a trace against an empty store, without and with scans, for each number
// of entries that there is room for.
func Ratios(name string, entries ...string) []measure.Series {
	var all []measure.Series
	for _, n := range entries {
		all = append(all, ratio(name+"/entries="+n, workload.Number(n), false), ratio(name+"/scans/entries="+n, workload.Number(n), true))
	}
	return all
}

func ratio(name string, entries int, scans bool) measure.Series {
	s := measure.Series{Name: name}
	if entries >= 100_000 { // one replay is longer than a turn
		s.MaxRounds, s.Heavy = 2, true
	}
	var t workload.Trace
	s.Setup = func() (func(), error) {
		t = workload.NewTrace(entries, max(30*entries, 1_000_000), scans, 1)
		return func() { t = workload.Trace{} }, nil
	}
	for _, p := range peers {
		if p.bound != byEntries || p.ours() && p.name != "simple" {
			continue // no bound to compare, or the evictions of simple
		}
		s.Lanes = append(s.Lanes, p.lane(func() (func(*testing.B), func(), error) {
			return func(b *testing.B) {
				sum := 0.0
				for range b.N {
					st := p.open(entries, workload.ValueSize)
					value := make([]byte, workload.ValueSize)
					sum += replay(t, st, func(uint32) []byte { return value })
					st.close()
				}
				b.ReportMetric(sum/float64(b.N), HitPercent)
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(t.IDs)), "ns/access")
			}, func() {}, nil
		}))
	}
	return s
}

// replay reads every key of the trace, stores what is missing, and returns the
// percentage of hits. Misses of a scan, which nobody can avoid, do not count.
func replay(t workload.Trace, s store, value func(id uint32) []byte) float64 {
	hits, reads := 0, 0
	for i, id := range t.IDs {
		key := t.Keys[id]
		_, ok := s.get(key)
		if !ok {
			s.set(strings.Clone(key), value(id))
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

// Weights are the memory of an entry in a full store.
func Weights(name, entries string) []measure.Series {
	s := measure.Series{Name: name + "/entries=" + entries, MaxRounds: 1, Heavy: true}
	for _, p := range peers {
		if p.name == "simple-copy" || p.name == "simple-string" {
			continue // stores the same as simple
		}
		s.Lanes = append(s.Lanes, p.lane(func() (func(*testing.B), func(), error) {
			return func(b *testing.B) {
				perEntry := 0.0
				for range b.N {
					perEntry = weigh(p, workload.Number(entries))
				}
				b.ReportMetric(perEntry, PerEntry)
			}, func() {}, nil
		}))
	}
	return []measure.Series{s}
}

// weigh returns the bytes of heap per entry, key and value included, of a store
// filled to its capacity with entries that nobody else refers to.
func weigh(p peer, capacity int) float64 {
	keys := workload.Keys(0, capacity)
	before := liveHeap()
	s := p.open(capacity, workload.ValueSize)
	defer s.close()
	for chunk := range slices.Chunk(keys, 1000) {
		clones := make([]string, len(chunk))
		for i, key := range chunk {
			clones[i] = strings.Clone(key)
		}
		s.fill(clones, func(string) []byte { return make([]byte, workload.ValueSize) })
	}
	held := len(keys) - len(s.absent(keys))
	after := liveHeap()
	runtime.KeepAlive(keys)
	runtime.KeepAlive(s.get)
	return float64(after-before) / float64(held)
}

func liveHeap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // the second frees what pools kept through the first
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
