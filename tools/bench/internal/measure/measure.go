// Package measure runs peers in turns and keeps what each round measured.
package measure

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"testing"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchunit"
)

// Series is a task and the peers that perform it.
type Series struct {
	Name      string        // group, then parts of the form name or key=value, as "Redis/get/callers=64"
	Procs     []int         // GOMAXPROCS to run with; nil for the current one
	MaxRounds int           // 0 for no limit
	Ops       int           // operations of one turn; 0 for as many as fit into its time
	Heavy     bool          // left out of a quick run
	Missing   func() string // says why it cannot be measured here, and nothing if it can; nil for always
	Setup     func() (release func(), err error)
	Lanes     []Lane
}

// Lane is one peer's part in a series.
type Lane struct {
	Peer  string
	Lacks string // what the peer does not offer
	Ours  bool
	Open  func() (run func(*testing.B), close func(), err error)
}

// Run measures every series. Within a round the peers take turns, and no peer is
// always the first, so that a machine that gets slower affects all of them. A series
// that fails does not keep the others from being measured. When ctx ends, the series under
// way is the last.
func Run(ctx context.Context, all []Series, rounds int, begin func(at int, s Series)) (results []*benchfmt.Result, failed []error) {
	for i, s := range all {
		if ctx.Err() != nil {
			return results, append(failed, fmt.Errorf("interrupted: %d of %d series were measured", i, len(all)))
		}
		begin(i, s)
		measured, err := s.run(rounds)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", s.Name, err))
			continue
		}
		results = append(results, measured...)
	}
	return results, failed
}

// RoundsOf returns the number of rounds of s in a run of the given number.
func (s Series) RoundsOf(rounds int) int {
	if s.MaxRounds > 0 {
		return min(s.MaxRounds, rounds)
	}
	return rounds
}

func (s Series) run(rounds int) (results []*benchfmt.Result, err error) {
	if s.Setup != nil {
		release, err := s.Setup()
		if err != nil {
			return nil, err
		}
		defer release()
	}
	if s.Ops > 0 {
		turn := flag.Lookup("test.benchtime")
		defer turn.Value.Set(turn.Value.String())
		if err := turn.Value.Set(fmt.Sprintf("%dx", s.Ops)); err != nil {
			return nil, err
		}
	}
	for round := range s.RoundsOf(rounds) {
		for turn := range s.Lanes {
			measured, err := s.runLane(s.Lanes[(turn+round)%len(s.Lanes)])
			if err != nil {
				return nil, err
			}
			results = append(results, measured...)
		}
	}
	return results, nil
}

// runLane returns a result for each number of processors.
func (s Series) runLane(l Lane) ([]*benchfmt.Result, error) {
	run, closeLane, err := l.Open()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.Peer, err)
	}
	defer closeLane()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	procs := s.Procs
	if procs == nil {
		procs = []int{runtime.GOMAXPROCS(0)}
	}
	var results []*benchfmt.Result
	for _, n := range procs {
		runtime.GOMAXPROCS(n)
		failure = errors.New("the benchmark failed")
		measured := testing.Benchmark(run)
		if measured.N == 0 {
			return nil, fmt.Errorf("%s: %w", l.Peer, failure)
		}
		results = append(results, result(s.Name+"/peer="+l.Peer+"-"+strconv.Itoa(n), measured))
	}
	return results, nil
}

// failure is why the last benchmark failed, which testing.Benchmark does not return.
var failure error

// Fail ends a benchmark.
func Fail(b *testing.B, err error) {
	failure = err
	b.Fatal(err)
}

// Units that this package treats in a special way. benchfmt reads nanoseconds as
// seconds.
const (
	Time   = "sec/op"
	Bytes  = "B/op"
	Allocs = "allocs/op"
)

// Share is the unit of a percentage in a bin of a histogram: "share/50ms" is that of the
// bin that begins at 50 ms.
const Share = "share"

// OwnTime is the unit in which a benchmark reports, in nanoseconds, what another
// process has measured. Allocations are then not those of the operation.
const OwnTime = "ns/call"

func result(name string, measured testing.BenchmarkResult) *benchfmt.Result {
	r := &benchfmt.Result{Name: benchfmt.Name(name), Iters: measured.N}
	add := func(value float64, unit string) {
		// Four digits are more than a measurement is worth, and keep the file small.
		value, _ = strconv.ParseFloat(strconv.FormatFloat(value, 'g', 4, 64), 64)
		tidied, tidyUnit := benchunit.Tidy(value, unit)
		r.Values = append(r.Values, benchfmt.Value{Value: tidied, Unit: tidyUnit, OrigValue: value, OrigUnit: unit})
	}
	if ns, elsewhere := measured.Extra[OwnTime]; elsewhere {
		add(ns, "ns/op")
		return r
	}
	add(float64(measured.T.Nanoseconds())/float64(measured.N), "ns/op")
	add(float64(measured.AllocedBytesPerOp()), Bytes)
	add(float64(measured.AllocsPerOp()), Allocs)
	for _, unit := range slices.Sorted(maps.Keys(measured.Extra)) {
		add(measured.Extra[unit], unit)
	}
	return r
}
