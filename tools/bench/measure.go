package main

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"
)

// result is what one peer reached in one series, on a number of processors.
type result struct {
	Series     string               `json:"series"`
	Procs      int                  `json:"procs"`
	Peer       string               `json:"peer"`
	Iterations []int                `json:"iterations"` // one a round
	NsPerOp    []float64            `json:"ns_per_op"`  // one a round too
	Bytes      []int64              `json:"bytes_per_op"`
	Allocs     int64                `json:"allocs_per_op"`   // the most of all rounds
	Extra      map[string][]float64 `json:"extra,omitempty"` // one a round
}

// elsewhere is reported as allocsUnit, and is result.Allocs, where another process
// does the work.
const (
	elsewhere  = -1
	allocsUnit = "allocs/op"
)

// measure runs every series for the given number of rounds. Within a round the
// peers take turns, and no peer is always the first. A series that fails is named
// and does not keep the others from being measured.
func measure(all []series, rounds int, p *progress) (results []*result, failed []string) {
	for _, s := range all {
		p.begin(s)
		measured, err := s.measure(s.rounds(rounds))
		p.end(s)
		if err != nil {
			failed = append(failed, fmt.Sprintf("%s: %v", s.title(), err))
			continue
		}
		results = append(results, measured...)
	}
	return results, failed
}

func (s series) measure(rounds int) ([]*result, error) {
	if s.prepare != nil {
		if err := s.prepare(); err != nil {
			return nil, err
		}
		defer s.release()
	}
	byLane := make([][]*result, len(s.lanes))
	for round := range rounds {
		for turn := range s.lanes {
			at := (turn + round) % len(s.lanes)
			if err := s.measureLane(s.lanes[at], &byLane[at]); err != nil {
				return nil, err
			}
		}
	}
	return slices.Concat(byLane...), nil
}

func (s series) onProcs() []int {
	if s.procs == nil {
		return []int{runtime.GOMAXPROCS(0)}
	}
	return s.procs
}

// measureLane adds one round to what is known of a lane: a result for each
// number of processors.
func (s series) measureLane(l lane, known *[]*result) error {
	run, closeLane, err := l.open()
	if err != nil {
		return err
	}
	defer closeLane()
	if *known == nil {
		for _, n := range s.onProcs() {
			*known = append(*known, &result{Series: s.title(), Procs: n, Peer: l.peer, Extra: map[string][]float64{}})
		}
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, r := range *known {
		runtime.GOMAXPROCS(r.Procs)
		failure = errors.New("go test -bench says why")
		measured := testing.Benchmark(run)
		if measured.N == 0 {
			return fmt.Errorf("%s: %w", l.peer, failure)
		}
		r.add(measured)
	}
	return nil
}

// failure is why the last benchmark failed, which testing.Benchmark does not tell.
var failure error

// fail ends a benchmark.
func fail(b *testing.B, err error) {
	failure = err
	b.Fatal(err)
}

func (r *result) add(measured testing.BenchmarkResult) {
	r.Iterations = append(r.Iterations, measured.N)
	r.NsPerOp = append(r.NsPerOp, float64(measured.T.Nanoseconds())/float64(measured.N))
	for unit, value := range measured.Extra {
		if unit == allocsUnit {
			r.Allocs = elsewhere
			continue
		}
		r.Extra[unit] = append(r.Extra[unit], value)
	}
	if r.Allocs == elsewhere {
		return
	}
	r.Bytes = append(r.Bytes, measured.AllocedBytesPerOp())
	r.Allocs = max(r.Allocs, measured.AllocsPerOp())
}

// ns is the median time of one operation.
func (r *result) ns() float64 { return median(r.NsPerOp) }

// extra is the median of what else was measured, NaN where it was not.
func (r *result) extra(unit string) float64 { return median(r.Extra[unit]) }

// garbage is the most bytes that an operation allocated in any round.
func (r *result) garbage() int64 {
	if len(r.Bytes) == 0 {
		return 0
	}
	return slices.Max(r.Bytes)
}

// timeAgainst is the median over the rounds of r's time in terms of other's.
func (r *result) timeAgainst(other *result) float64 { return median(r.ratios(other)) }

// ratios are r's times in terms of other's, round by round.
func (r *result) ratios(other *result) []float64 {
	ratios := make([]float64, len(r.NsPerOp))
	for round, ns := range r.NsPerOp {
		ratios[round] = ns / other.NsPerOp[round]
	}
	return ratios
}

// timeAbove is the median over the rounds of what r takes beyond other, in ns.
func (r *result) timeAbove(other *result) float64 {
	above := make([]float64, len(r.NsPerOp))
	for round, ns := range r.NsPerOp {
		above[round] = ns - other.NsPerOp[round]
	}
	return median(above)
}

func median(samples []float64) float64 {
	if len(samples) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(samples))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// deviation is how far the middle half of the samples reaches, half the distance of
// its ends in percent of the median; 0 of one sample, which tells nothing.
func deviation(samples []float64) float64 {
	if len(samples) < 2 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(samples))
	quarter := len(sorted) / 4
	return 50 * (sorted[len(sorted)-1-quarter] - sorted[quarter]) / median(samples)
}
