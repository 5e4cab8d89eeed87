package memory

import (
	"fmt"
	"math"
	"runtime"
	"runtime/metrics"
	"slices"
	"sync"
	"testing"

	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

// Units of the garbage collector, both from runtime/metrics.
const (
	CPUPerCycle = "sec/cycle" // of all processors, as the runtime estimates it
	LongestStop = "sec/stop"  // of all goroutines
)

// Collections are cycles of the garbage collector over a full store, for each number of
// entries.
func Collections(name string, entries ...string) []measure.Series {
	var all []measure.Series
	for _, n := range entries {
		s := measure.Series{Name: name + "/entries=" + n, MaxRounds: 3, Ops: 5, Setup: nothing}
		if workload.Number(n) > 1_000_000 {
			s.MaxRounds, s.Heavy = 1, true
		}
		for _, p := range peers {
			if !slices.Contains([]string{"simple", "otter", "otter-expiry", "bigcache", "freecache", "map+RWMutex"}, p.name) {
				continue
			}
			s.Lanes = append(s.Lanes, p.lane(func() (func(*testing.B), func(), error) {
				st, err := openWithOwnKeys(p, workload.Number(n))
				return func(b *testing.B) { runCollections(b, st) }, st.close, err
			}))
		}
		all = append(all, s)
	}
	return all
}

// openWithOwnKeys returns a store of entries that nobody else refers to.
func openWithOwnKeys(p peer, entries int) (store, error) {
	s := p.open(entries+entries/8, workload.ValueSize)
	s.fillOwn(entries, workload.ValueSize)
	lost := 0
	for from := 0; from < entries; from += chunk {
		lost += len(s.absent(workload.Keys(from, min(chunk, entries-from))))
	}
	if lost > entries/100 {
		s.close()
		return s, fmt.Errorf("%d of %d entries are missing after they were stored", lost, entries)
	}
	return s, nil
}

const chunk = 1000 // keys that are made at a time

// fillOwn stores entries to whose keys and values nobody else refers.
func (s store) fillOwn(entries, valueSize int) {
	for from := 0; from < entries; from += chunk {
		s.fill(workload.Keys(from, min(chunk, entries-from)), func(string) []byte { return make([]byte, valueSize) })
	}
}

// runCollections runs one cycle after another while a goroutine reads, so that there is
// something to stop. It reads absent keys: a copy of a value would be garbage.
func runCollections(b *testing.B, s store) {
	absent := workload.Keys(math.MaxInt/2, 1<<10)
	var reader sync.WaitGroup
	end := make(chan struct{})
	reader.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-end:
				return
			default:
				s.get(absent[i%len(absent)])
			}
		}
	})
	runtime.GC() // ends the cycle that filled the store
	before := readCollector()
	b.ResetTimer()
	for range b.N {
		runtime.GC()
	}
	b.StopTimer()
	after := readCollector()
	close(end)
	reader.Wait()
	b.ReportMetric((after.cpu-before.cpu)/float64(b.N)*1e9, "ns/cycle")
	b.ReportMetric(after.longestSince(before)*1e9, "ns/stop")
}

// collector is what the garbage collector has done since the start of the process.
type collector struct {
	cpu   float64 // seconds
	stops *metrics.Float64Histogram
}

func readCollector() collector {
	samples := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}, {Name: "/sched/pauses/total/gc:seconds"}}
	metrics.Read(samples)
	return collector{samples[0].Value.Float64(), samples[1].Value.Float64Histogram()}
}

// longestSince returns the upper end of the last bin that has grown. Bins are up to a
// quarter wide.
func (c collector) longestSince(before collector) float64 {
	for i := len(c.stops.Counts) - 1; i >= 0; i-- {
		if c.stops.Counts[i] > before.stops.Counts[i] {
			if end := c.stops.Buckets[i+1]; !math.IsInf(end, 1) {
				return end
			}
			return c.stops.Buckets[i]
		}
	}
	return 0
}
