package memory

import (
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

// Weights are the memory of an entry in a full store.
func Weights(name, entries string) []measure.Series {
	s := measure.Series{Name: name + "/entries=" + entries, MaxRounds: 1, Heavy: true}
	for _, p := range peers {
		if p.name == "simple-copy" {
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
