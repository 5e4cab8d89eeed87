package main

import (
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/cachebackends/cachebackends/tools/bench/internal/loads"
	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
	"github.com/cachebackends/cachebackends/tools/bench/internal/memory"
	"github.com/cachebackends/cachebackends/tools/bench/internal/stores"
)

// TestMain may run as a process that writes.
func TestMain(m *testing.M) {
	if !stores.Write() {
		os.Exit(m.Run())
	}
}

// BenchmarkSeries measures every series under go test, one peer after the other, which
// allows for profiles: go test -bench 'Series/Hit/entries=500/simple$' -cpuprofile cpu.
// The number of processors is that of -cpu.
func BenchmarkSeries(b *testing.B) {
	for _, g := range groups(strings.Split(defaultDirs(), ",")) {
		for _, s := range g.series {
			b.Run(s.Name, func(b *testing.B) {
				if s.Missing != nil && s.Missing() != "" {
					b.Skip(s.Missing())
				}
				release, err := s.Setup()
				if err != nil {
					b.Fatal(err)
				}
				defer release()
				for _, l := range s.Lanes {
					b.Run(l.Peer, func(b *testing.B) {
						run, closeLane, err := l.Open()
						if err != nil {
							b.Fatal(err)
						}
						defer closeLane()
						run(b)
					})
				}
			})
		}
	}
}

// allCases has every series and peer, without values.
func allCases() (all []*measure.Case) {
	for _, g := range groups([]string{"memory=/dev/shm"}) {
		for _, s := range g.series {
			c := &measure.Case{Series: s.Name, Procs: 1}
			for _, l := range s.Lanes {
				c.Peers = append(c.Peers, &measure.Peer{Name: l.Peer, Values: map[string][]float64{}})
			}
			all = append(all, c)
		}
	}
	return all
}

func TestSeries(t *testing.T) {
	seen := map[string]bool{}
	for _, g := range groups([]string{"a=x", "b=y"}) {
		for _, s := range g.series {
			if seen[s.Name] {
				t.Errorf("there are two series %s", s.Name)
			}
			seen[s.Name] = true
			if !strings.HasPrefix(s.Name, g.Name+"/") {
				t.Errorf("%s is in the section %s", s.Name, g.Name)
			}
			if !slices.ContainsFunc(s.Lanes, func(l measure.Lane) bool { return l.Ours }) {
				t.Errorf("%s measures none of ours", s.Name)
			}
			for _, l := range s.Lanes {
				if l.Lacks == "" {
					t.Errorf("the report does not say what %s of %s lacks", l.Peer, s.Name)
				}
			}
		}
	}
}

// TestTablesMatchSeries finds goals and rows of the picture that are about nothing.
func TestTablesMatchSeries(t *testing.T) {
	all := allCases()
	matches := func(series, peers string) bool {
		return slices.ContainsFunc(all, func(c *measure.Case) bool {
			is, err := path.Match(series, c.Series)
			return err == nil && is && !slices.ContainsFunc(strings.Split(peers, ","), func(pattern string) bool {
				return !slices.ContainsFunc(c.Peers, func(p *measure.Peer) bool {
					matches, err := path.Match(pattern, p.Name)
					return err == nil && matches
				})
			})
		})
	}
	for _, g := range goals {
		if !matches(g.series, g.ours) || g.peers != "" && g.peers != oneProcessor && !matches(g.series, g.peers) {
			t.Errorf("no series has all that the goal %s %s %s %s names", g.series, g.ours, g.name, g.peers)
		}
	}
	for _, g := range groups([]string{"memory=/dev/shm"}) {
		for _, r := range g.Rows {
			if !matches(r.Series, r.Ours) || !matches(r.Series, r.Peers) {
				t.Errorf("no series has all that the row %q of %s names", r.Label, r.Part)
			}
		}
	}
}

func TestSelected(t *testing.T) {
	t.Setenv("BENCH_REDIS", "")
	t.Setenv("PATH", t.TempDir())
	all := groups([]string{"memory=/dev/shm"})
	for _, test := range []struct {
		name    string
		options options
		want    []string
		leftOut string
	}{
		{"those that match", options{run: "^Hit/entries=500$"}, []string{"Hit/entries=500"}, ""},
		{"nothing large in a quick run", options{run: "^Hit/", quick: true}, []string{"Hit/entries=500", "Hit/entries=100k"}, "-quick leaves out series of many entries"},
		{"no server", options{run: "^(Redis/get/callers=1|Memory/entries=1M)$"}, []string{"Memory/entries=1M"}, "no address in BENCH_REDIS and no redis-server on the PATH"},
	} {
		t.Run(test.name, func(t *testing.T) {
			selected, leftOut, err := test.options.selected(all)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, s := range selected {
				names = append(names, s.Name)
			}
			if !slices.Equal(names, test.want) || strings.Join(leftOut, ";") != test.leftOut {
				t.Errorf("selected %q, left out %q; want %q, %q", names, leftOut, test.want, test.leftOut)
			}
		})
	}
	if _, _, err := (options{run: "nothing of the kind"}).selected(all); err == nil {
		t.Error("a run of nothing is no error")
	}
	quick, _, err := options{run: "^Expiry/simple$", quick: true}.selected(all)
	if err != nil {
		t.Fatal(err)
	}
	if quick[0].Ops != 5 {
		t.Errorf("a turn of a quick run has %d expiries, want 5", quick[0].Ops)
	}
	selected, _, err := options{run: "^Hit/entries=500$", ours: true}.selected(all)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range selected[0].Lanes {
		if !strings.HasPrefix(l.Peer, "simple") {
			t.Errorf("%s is among ours", l.Peer)
		}
	}
}

func TestGoals(t *testing.T) {
	withValues := func(series string, unit string, peers map[string]float64) []*measure.Case {
		c := &measure.Case{Series: series, Procs: 2}
		for name, value := range peers {
			c.Peers = append(c.Peers, &measure.Peer{Name: name, Values: map[string][]float64{unit: {value}}})
		}
		return []*measure.Case{c}
	}
	for _, test := range []struct {
		name  string
		cases []*measure.Case
		want  string // in the line of the goal
		met   bool
	}{
		{"fast enough", withValues("Redis/get/callers=1", measure.Time, map[string]float64{"redis": 105, "go-redis": 100}), "time relative to go-redis  1.05     1.05", true},
		{"too slow for the faster otter", withValues("Hit/entries=500", measure.Time, map[string]float64{"simple": 46, "otter": 120, "otter-expiry": 100}), "time relative to otter-expiry  0.45     0.46", false},
		{"hits behind the best", withValues("Ratio/entries=500", "hit%", map[string]float64{"simple": 72.4, "theine": 73, "otter": 70}), "hit points behind theine  0.5      0.6", false},
		{"hits ahead of the best", withValues("Ratio/entries=500", "hit%", map[string]float64{"simple": 74, "theine": 73}), "hit points behind theine  0.5      -1", true},
		{"an allocation", withValues("Hit/entries=100k", measure.Allocs, map[string]float64{"simple": 1}), "allocations  0        1", false},
		{"a layer of 14 ns", withValues("Copy/bytes=100B/entries=500", measure.Time, map[string]float64{"simple": 20e-9, "simple-buffer": 34e-9}), "time above simple  15.00 ns  14.00 ns", true},
		{"a load too many", withValues("Expiry/redis", loads.PerExpiry, map[string]float64{"loader": 1.02}), "loads per expiry  1        1.02", false},
		{"no call is slow", withValues("Expiry/simple", loads.P99, map[string]float64{"loader": 0.4e-3}), "1.000 ms  400.0 µs", true},
		{"three round trips", withValues("Expiry/redis", loads.P99, map[string]float64{"loader": 2.9, "round-trip": 1}), "p99 relative to round-trip  3        2.9", true},
		{"a heap that is too small", withValues("Bound/bytes=1KiB", memory.HeapAtBound, map[string]float64{"simple-bytes": 0.85 * memory.Bound}), "heap beside the bound  0.1      0.15", false},
		{"a minute", withValues("Freed/entries=1M", memory.UntilFreed, map[string]float64{"simple": 59}), "60.00 s  59.00 s", true},
		{"two processors", append(withValues("Create/entries=100k", measure.Time, map[string]float64{"simple": 60}), &measure.Case{Series: "Create/entries=100k", Procs: 1,
			Peers: []*measure.Peer{{Name: "simple", Values: map[string][]float64{measure.Time: {100}}}}}), "time relative to one processor  0.588    0.6", false},
		{"no peer to compare with", withValues("Redis/set/callers=1", measure.Time, map[string]float64{"redis": 105}), "series", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var text strings.Builder
			met := checkGoals(&text, test.cases)
			if !strings.Contains(text.String(), test.want) || met != test.met {
				t.Errorf("met %v, want %v with %q:\n%s", met, test.met, test.want, text.String())
			}
		})
	}
}
