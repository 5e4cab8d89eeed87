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

// Units of what is measured besides the time and allocations of an operation.
const (
	perEntry = "ns/entry"
	longest  = "ns/longest" // of all operations
	slowest  = "ns/p99.9"
)

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
				for i := last - some + 1; i <= min(last, b.N) && failed[caller] == nil; i++ {
					failed[caller] = call(i)
				}
			}
		})
	}
	done.Wait()
	if err := errors.Join(failed...); err != nil {
		measure.Fail(b, err)
	}
}

// runElsewhere waits for what another process does.
func runElsewhere(b bench, s store, op string) {
	b.ResetTimer()
	if err := s.loop(op, b.N); err != nil {
		measure.Fail(b, err)
	}
	b.ReportMetric(measure.NoAllocs, measure.Allocs)
}

// runDeleteMany deletes a batch of other keys each time: all are present.
func runDeleteMany(b bench, s store, size int, value []byte) {
	keys := workload.Keys(size, b.N*size)
	batch := func(i int) []string { return keys[i*size:][:size] }
	for i := range b.N {
		if err := s.setMany(batch(i), value)(); err != nil {
			measure.Fail(b, err)
		}
	}
	runCallers(b, 1, func(i int) error { return foundAll(size)(s.deleteMany(batch(i - 1))) })
}

// runCreate stores the keys from number next on, and reports the slowest calls if tail
// is set.
func runCreate(s store, next int, value []byte, tail bool) func(bench) {
	return func(b bench) {
		keys := workload.Keys(next, b.N)
		next += b.N
		if !tail {
			runCallers(b, 1, func(i int) error { return s.set(keys[i-1], value) })
			return
		}
		times := make([]time.Duration, b.N)
		runCallers(b, 1, func(i int) error {
			start := time.Now()
			err := s.set(keys[i-1], value)
			times[i-1] = time.Since(start)
			return err
		})
		slices.Sort(times)
		b.ReportMetric(float64(times[b.N-1]), longest)
		b.ReportMetric(float64(times[b.N*999/1000]), slowest)
	}
}

// runClear fills the store again before it clears it once more.
func runClear(b bench, s store, keys []string, value []byte) {
	for i := range b.N {
		b.StopTimer()
		if i > 0 || !present(s, keys) {
			if err := fill(s, keys, value); err != nil {
				measure.Fail(b, err)
			}
		}
		b.StartTimer()
		if err := s.clear(); err != nil {
			measure.Fail(b, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(keys)), perEntry)
}

func present(s store, keys []string) bool {
	_, err := s.get(keys[0])
	return err == nil
}

// runOpen writes once: some work of opening may be put off until then.
func runOpen(b bench, p Peer, addr, key string, value []byte) {
	b.ReportAllocs()
	for b.Loop() {
		s, err := p.open(addr)
		if err != nil {
			measure.Fail(b, err)
		}
		err = s.set(key, value)
		s.close()
		if err != nil {
			measure.Fail(b, err)
		}
	}
}
