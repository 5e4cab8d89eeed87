package stores

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

type bench = *testing.B

// runCallers makes b.N calls, each by the first of so many goroutines that is
// free. If there are very many, a goroutine takes some at a time.
func runCallers(b bench, callers int, call func(i int) error) {
	var taken atomic.Int64
	var done sync.WaitGroup
	failed := make([]error, callers)
	some := min(max(b.N/(64*callers), 1), 64)
	b.ReportAllocs()
	b.ResetTimer()
	for caller := range callers {
		done.Go(func() {
			for failed[caller] == nil {
				last := int(taken.Add(int64(some)))
				if last-some >= b.N {
					return
				}
				for i := last - some; i < min(last, b.N) && failed[caller] == nil; i++ {
					failed[caller] = call(i)
				}
			}
		})
	}
	done.Wait()
	check(b, errors.Join(failed...))
}

func check(b bench, err error) {
	if err != nil {
		measure.Fail(b, err)
	}
}

// runAppend reads into one buffer all the time, with a client that can.
func runAppend(b bench, s store, keys []string, size int) {
	buffer := make([]byte, 0, size)
	runCallers(b, 1, func(i int) (err error) {
		if s.getAppend == nil {
			_, err = s.get(keys[i%len(keys)])
		} else {
			buffer, err = s.getAppend(keys[i%len(keys)], buffer[:0])
		}
		return err
	})
}

const batch = 1000 // keys that are stored or deleted at a time where that is not measured

// runAdd adds the keys from number next on, and deletes them again.
func runAdd(b bench, s store, callers, next int, value []byte) {
	keys := workload.Keys(next, b.N)
	runCallers(b, callers, func(i int) error { return s.add(keys[i], value) })
	b.StopTimer()
	for some := range slices.Chunk(keys, batch) {
		check(b, foundAll(len(some))(s.deleteMany(some)))
	}
}

// runDelete deletes the keys from number next on, which it stores before.
func runDelete(b bench, s store, callers, next int, value []byte) {
	keys := workload.Keys(next, b.N)
	for some := range slices.Chunk(keys, batch) {
		check(b, s.setMany(some, value)())
	}
	runCallers(b, callers, func(i int) error { return s.remove(keys[i]) })
}

// runDeleteMany deletes a batch of other keys each time: all are present.
func runDeleteMany(b bench, s store, size int, value []byte) {
	keys := workload.Keys(size, b.N*size)
	batch := func(i int) []string { return keys[i*size:][:size] }
	for i := range b.N {
		check(b, s.setMany(batch(i), value)())
	}
	runCallers(b, 1, func(i int) error { return foundAll(size)(s.deleteMany(batch(i))) })
}

// runCreate stores the keys from number next on.
func runCreate(s store, next int, value []byte) func(bench) {
	return func(b bench) {
		keys := workload.Keys(next, b.N)
		next += b.N
		runCallers(b, 1, func(i int) error { return s.set(keys[i], value) })
	}
}

// Units of what is measured besides times of all calls.
const (
	Longest  = "sec/longest"   // of single calls
	P999     = "medians/p99.9" // of single calls
	PerEntry = "sec/entry"     // of those removed

	// OverThreshold is of the most entries that there were.
	OverThreshold = "thresholds/most"
)

// runFull stores an eighth more entries than a full store has, which is enough for it
// to evict, and reports how long single calls take.
func runFull(s store, next int, value []byte) func(bench) {
	size := next/8 + 1
	return func(b bench) {
		keys := workload.Keys(next, b.N*size)
		next += len(keys)
		times := make([]time.Duration, len(keys))
		runCallers(b, 1, func(op int) (err error) {
			for i := op * size; i < (op+1)*size && err == nil; i++ {
				start := time.Now()
				err = s.set(keys[i], value)
				times[i] = time.Since(start)
			}
			return err
		})
		slices.Sort(times)
		median := float64(times[len(times)/2])
		b.ReportMetric(median, "ns/median")
		b.ReportMetric(float64(times[len(times)*999/1000])/median, P999)
		b.ReportMetric(float64(times[len(times)-1]), "ns/longest")
	}
}

// runClear fills the store before it is cleared again.
func runClear(b bench, s store, keys []string, value []byte, clear func() error) {
	b.StopTimer()
	for range b.N {
		if _, err := s.get(keys[0]); err != nil {
			check(b, fill(s, keys, value))
		}
		b.StartTimer()
		check(b, clear())
		b.StopTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(keys)), "ns/entry")
}

// runOpen writes once: some work of opening may be put off until then.
func runOpen(b bench, p peer, addr, key string, value []byte) {
	b.ReportAllocs()
	for b.Loop() {
		s, err := p.open(addr)
		check(b, err)
		err = s.set(key, value)
		s.close()
		check(b, err)
	}
}
