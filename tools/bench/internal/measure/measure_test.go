package measure

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/perf/benchfmt"
)

// once makes testing.Benchmark do everything once.
func once(t *testing.T) {
	t.Helper()
	before := flag.Lookup("test.benchtime").Value.String()
	if err := flag.Set("test.benchtime", "1x"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { flag.Set("test.benchtime", before) })
}

func lane(peer string, run func(*testing.B)) Lane {
	return Lane{Peer: peer, Open: func() (func(*testing.B), func(), error) { return run, func() {}, nil }}
}

func TestPeersTakeTurns(t *testing.T) {
	once(t)
	var turns []string
	s := Series{Name: "Group/case", Procs: []int{1}}
	for _, peer := range []string{"a", "b", "c"} {
		s.Lanes = append(s.Lanes, lane(peer, func(*testing.B) { turns = append(turns, peer) }))
	}
	results, failed := Run(t.Context(), []Series{s}, 3, func(int, Series) {})
	if len(failed) > 0 {
		t.Fatal(failed)
	}
	if got, want := strings.Join(turns, ""), "abcbcacab"; got != want {
		t.Errorf("the turns are %s, want %s", got, want)
	}
	cases := Cases(results)
	if len(cases) != 1 || len(cases[0].Peers) != 3 || len(cases[0].Peers[0].Values[Time]) != 3 {
		t.Errorf("the results are %v", cases)
	}
}

// An interrupt keeps what was measured.
func TestInterrupt(t *testing.T) {
	once(t)
	ctx, cancel := context.WithCancel(t.Context())
	first := Series{Name: "Group/first", Procs: []int{1}, Lanes: []Lane{lane("a", func(*testing.B) { cancel() })}}
	second := Series{Name: "Group/second", Lanes: []Lane{lane("a", func(*testing.B) { t.Error("measured after the interrupt") })}}
	results, failed := Run(ctx, []Series{first, second}, 2, func(int, Series) {})
	if len(results) != 2 || len(failed) != 1 || !strings.Contains(failed[0].Error(), "1 of 2") {
		t.Errorf("%d results, %v; want 2 of the first series and an error", len(results), failed)
	}
}

func TestOperationsOfATurn(t *testing.T) {
	once(t)
	var most int
	count := lane("a", func(b *testing.B) { most = max(most, b.N) })
	for ops, want := range map[int]int{5: 5, 0: 1} {
		most = 0
		Run(t.Context(), []Series{{Name: "Group/case", Ops: ops, Lanes: []Lane{count}}}, 1, func(int, Series) {})
		if most != want {
			t.Errorf("%d operations of a turn with Ops %d, want %d", most, ops, want)
		}
	}
	if turn := flag.Lookup("test.benchtime").Value.String(); turn != "1x" {
		t.Errorf("the time of a turn is now %s", turn)
	}
}

func TestFailedSeriesKeepsOthers(t *testing.T) {
	once(t)
	broken := Series{Name: "Group/broken", Lanes: []Lane{lane("peer", func(b *testing.B) { Fail(b, os.ErrNotExist) })}}
	good := Series{Name: "Group/good", Lanes: []Lane{lane("peer", func(*testing.B) {})}}
	results, failed := Run(t.Context(), []Series{broken, good}, 1, func(int, Series) {})
	if len(failed) != 1 || !errors.Is(failed[0], os.ErrNotExist) || !strings.Contains(failed[0].Error(), "Group/broken: peer: ") {
		t.Errorf("failed: %v", failed)
	}
	if len(results) != 1 {
		t.Errorf("%d results, want that of the good series", len(results))
	}
}

func TestResultsAreReadAsWritten(t *testing.T) {
	once(t)
	s := Series{Name: "Group/case", Procs: []int{2}, Lanes: []Lane{
		lane("a-1", func(b *testing.B) { b.ReportMetric(97.654321, "hit%") }),
		lane("elsewhere", func(b *testing.B) { b.ReportMetric(500, OwnTime) }),
	}}
	results, failed := Run(t.Context(), []Series{s}, 2, func(int, Series) {})
	if len(failed) > 0 {
		t.Fatal(failed)
	}
	facts := []benchfmt.Config{{Key: "command", Value: []byte("bench -run 'x|y'"), File: true}}
	var text bytes.Buffer
	if err := Write(&text, facts, results); err != nil {
		t.Fatal(err)
	}
	readFacts, readResults, err := Read(bytes.NewReader(text.Bytes()), "test")
	if err != nil {
		t.Fatal(err)
	}
	if len(readFacts) != 1 || string(readFacts[0].Value) != "bench -run 'x|y'" {
		t.Errorf("facts are %v", readFacts)
	}
	c := Cases(readResults)[0]
	if c.String() != "Group/case-2" || len(c.Peers) != 2 || c.Peers[0].Name != "a-1" {
		t.Fatalf("%v with peers %v", c, c.Peers)
	}
	if got := c.Peers[0].Values["hit%"]; !slices.Equal(got, []float64{97.65, 97.65}) {
		t.Errorf("hits are %v", got)
	}
	if want, got := Cases(results)[0].Peers[0].Median(Time), c.Peers[0].Median(Time); math.Abs(got-want) > want/1000 {
		t.Errorf("the time is %v, want %v", got, want)
	}
	if got := c.Peers[1].Values[Allocs]; got != nil {
		t.Errorf("allocations of another process are %v", got)
	}
	if got := c.Peers[1].Median(Time); math.Abs(got-500e-9) > 1e-12 {
		t.Errorf("another process has measured %v s, want 500 ns", got)
	}
}

func peer(name string, ns ...float64) *Peer { return &Peer{name, map[string][]float64{Time: ns}} }

func TestRatioComparesRounds(t *testing.T) {
	// The machine got twenty times slower in the second round.
	ours, other := peer("ours", 10, 200, 40), peer("other", 20, 400, 50)
	if got := ours.Ratio(other, Time); got.Center != 0.5 || got.Lo != 0.5 || got.Hi != 0.8 {
		t.Errorf("the ratio is %v in %v to %v, want 0.5 in the range 0.5 to 0.8", got.Center, got.Lo, got.Hi)
	}
	if got := other.Difference(ours, Time).Center; got != 10 {
		t.Errorf("the difference is %v, want 10", got)
	}
}

func TestIntervalOfManyRounds(t *testing.T) {
	var ns []float64
	for i := range 20 {
		ns = append(ns, float64(i))
	}
	if got := peer("a", ns...).Estimate(Time); got.Center != 9.5 || got.Lo <= 0 || got.Hi >= 19 || got.Confidence < confidence {
		t.Errorf("the estimate is %+v: the interval is the range, or of too little confidence", got)
	}
}

func TestBest(t *testing.T) {
	c := &Case{Peers: []*Peer{peer("ours", 1), peer("otter", 30), peer("otter-coarse", 20), {"none", nil}}}
	for _, p := range c.Peers[:3] {
		p.Values["hit%"] = []float64{p.Values[Time][0]}
	}
	for _, test := range []struct {
		unit    string
		pattern string
		want    *Peer
	}{
		{Time, "otter*", c.Peers[2]},
		{"hit%", "otter*", c.Peers[1]},
		{Time, "*", c.Peers[0]},
		{Time, "absent", nil},
		{Time, "none", nil},
	} {
		if got := c.Best(test.unit, test.pattern); got != test.want {
			t.Errorf("best of %s by %s is %v, want %v", test.pattern, test.unit, got, test.want)
		}
	}
}
