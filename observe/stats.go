package observe

import (
	"context"
	"encoding/json"
	"sync/atomic"

	cache "github.com/cachebackends/cachebackends/core"
)

// Stats counts the events of caches in the memory of the process. The zero value is ready
// to use; Stats must not be copied. An operation that has been seen takes 4 KB.
//
// Stats is an expvar.Var: expvar.Publish("cache", &stats) shows it under /debug/vars.
type Stats struct {
	hits, misses, read, written, refused, stale atomic.Int64

	operations Table[string, histogram]
	faults     Table[Fault, atomic.Int64]
}

// Fault is a kind of failures of an operation.
type Fault struct {
	Op   string
	Kind Kind
}

// Observe counts an event. It is a [cache.Observer].
func (s *Stats) Observe(_ context.Context, e cache.Event) {
	hits, misses := Lookups(e)
	if hits > 0 {
		s.hits.Add(int64(hits))
	}
	if misses > 0 {
		s.misses.Add(int64(misses))
	}
	if e.Bytes > 0 {
		if IsRead(e.Op) {
			s.read.Add(int64(e.Bytes))
		} else {
			s.written.Add(int64(e.Bytes))
		}
	}
	if e.Refused {
		s.refused.Add(1)
	}
	if e.Err != nil && ClassOf(e) != Notice {
		s.faults.Of(Fault{e.Op, KindOf(e.Err)}, func(Fault) *atomic.Int64 { return new(atomic.Int64) }).Add(1)
	}
	if e.Op == cache.OpStale {
		s.stale.Add(1)
		return
	}
	s.operations.Of(e.Op, func(string) *histogram { return new(histogram) }).add(e.Duration)
}

// Snapshot is the content of Stats at one moment. Counts are since the process began.
type Snapshot struct {
	Hits         int64 `json:"hits"`           // Keys that were present.
	Misses       int64 `json:"misses"`         // Keys that were absent, or could not be read.
	BytesRead    int64 `json:"read_bytes"`     // Bytes of encoded values that were read.
	BytesWritten int64 `json:"written_bytes"`  // Bytes of encoded values that were written.
	Loads        int64 `json:"loads"`          // Loads, also those that failed.
	FailedLoads  int64 `json:"failed_loads"`   // Loads that failed.
	SharedLoads  int64 `json:"shared_loads"`   // Waits of callers for a load that another caller had started.
	Stale        int64 `json:"stale_answers"`  // Answers of loaders with stale values.
	Refused      int64 `json:"refused_writes"` // Values that were not stored because the key was present, its value had changed, or a lease had ended.

	Faults     map[Fault]int64      `json:"faults"`     // Failures by operation, "load" and "wait" included, and kind of error.
	Operations map[string]Durations `json:"operations"` // Count, sum, maximum and quantiles of durations by operation; also of loads and waits.
}

// HitRatio returns the share of hits in all lookups, 0 without lookups.
func (s Snapshot) HitRatio() float64 {
	if s.Hits+s.Misses == 0 {
		return 0
	}
	return float64(s.Hits) / float64(s.Hits+s.Misses)
}

// Snapshot returns the counts. Events that are counted meanwhile may be in it in part.
func (s *Stats) Snapshot() Snapshot {
	snapshot := Snapshot{
		Hits: s.hits.Load(), Misses: s.misses.Load(), BytesRead: s.read.Load(), BytesWritten: s.written.Load(),
		Refused: s.refused.Load(), Stale: s.stale.Load(),
		Faults: map[Fault]int64{}, Operations: map[string]Durations{},
	}
	for fault, n := range s.faults.All() {
		snapshot.Faults[fault] = n.Load()
		if fault.Op == cache.OpLoad {
			snapshot.FailedLoads += n.Load()
		}
	}
	for op, h := range s.operations.All() {
		snapshot.Operations[op] = h.snapshot()
	}
	snapshot.Loads = snapshot.Operations[cache.OpLoad].Count
	snapshot.SharedLoads = snapshot.Operations[cache.OpWait].Count
	return snapshot
}

// String returns the counts as a JSON object, for package expvar.
func (s *Stats) String() string {
	text, err := json.Marshal(s.Snapshot())
	if err != nil {
		panic(err) // there are only numbers and names
	}
	return string(text)
}

// MarshalJSON writes durations in seconds, and faults as an object of objects.
func (s Snapshot) MarshalJSON() ([]byte, error) {
	type counts Snapshot // without this method
	faults := map[string]map[Kind]int64{}
	for fault, n := range s.Faults {
		if faults[fault.Op] == nil {
			faults[fault.Op] = map[Kind]int64{}
		}
		faults[fault.Op][fault.Kind] = n
	}
	return json.Marshal(struct {
		counts
		Faults map[string]map[Kind]int64 `json:"faults"` // instead of that of counts
	}{counts(s), faults})
}

// MarshalJSON writes all durations in seconds.
func (d Durations) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{
		"count": d.Count, "sum_seconds": d.Sum.Seconds(), "max_seconds": d.Max.Seconds(),
		"p50_seconds": d.P50.Seconds(), "p90_seconds": d.P90.Seconds(), "p99_seconds": d.P99.Seconds(),
	})
}

var _ cache.Observer = (*Stats)(nil).Observe
