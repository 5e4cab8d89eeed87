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
func Weights(group string, entries int) []measure.Series {
	s := measure.Series{Name: group + "/" + sized(entries), MaxRounds: 1, Heavy: true}
	for _, p := range Peers {
		if p.Name == "simple-copy" {
			continue // stores the same as simple
		}
		s.Lanes = append(s.Lanes, p.lane(func() (func(*testing.B), func(), error) {
			run := func(b *testing.B) {
				perEntry := 0.0
				for b.Loop() {
					var err error
					if perEntry, err = weigh(p, entries); err != nil {
						measure.Fail(b, err)
					}
				}
				b.ReportMetric(perEntry, PerEntry)
			}
			return run, func() {}, nil
		}))
	}
	return []measure.Series{s}
}

// weigh returns the bytes of heap per entry, key and value included, of a store
// filled to its capacity with entries that nobody else refers to.
func weigh(p Peer, capacity int) (float64, error) {
	keys := workload.Keys(0, capacity)
	before := liveHeap()
	s, err := p.open(capacity, workload.ValueSize)
	if err != nil {
		return 0, err
	}
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
	return float64(after-before) / float64(held), nil
}

func liveHeap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // the second frees what pools kept through the first
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
