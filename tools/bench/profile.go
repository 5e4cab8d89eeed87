package main

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"maps"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"

	"github.com/cachebackends/cachebackends/tools/bench/chart"
	"github.com/google/pprof/profile"
)

// profiled says where the processors' time goes in a lane.
type profiled struct {
	Series     string  `json:"series"`
	Peer       string  `json:"peer"`
	Functions  []share `json:"functions"`  // in which it is spent
	Goroutines []share `json:"goroutines"` // for which, by the function that each began with
}

type share struct {
	Name    string  `json:"name"`
	Percent float64 `json:"percent"`
}

// profileMissed gives our lanes of each series that misses a goal another turn, with
// a profiler that would have disturbed the others.
func profileMissed(all []series, goals []goal) ([]profiled, error) {
	if err := flag.Set("test.benchtime", "1s"); err != nil {
		return nil, err
	}
	var profiles []profiled
	for _, s := range all {
		if s.missing != "" || !slices.ContainsFunc(goals, func(g goal) bool { return !g.Met && g.Series == s.title() }) {
			continue
		}
		ofSeries, err := s.profile()
		if err != nil {
			return nil, fmt.Errorf("profile of %s: %w", s.title(), err)
		}
		profiles = append(profiles, ofSeries...)
	}
	return profiles, nil
}

func (s series) profile() (profiles []profiled, err error) {
	if s.prepare != nil {
		if err := s.prepare(); err != nil {
			return nil, err
		}
		defer s.release()
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(slices.Max(s.onProcs())))
	for _, l := range s.lanes {
		if kindOf(l.peer) != chart.Ours {
			continue
		}
		p, err := l.profile()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.peer, err)
		}
		p.Series = s.title()
		profiles = append(profiles, p)
	}
	return profiles, nil
}

func (l lane) profile() (profiled, error) {
	run, closeLane, err := l.open()
	if err != nil {
		return profiled{}, err
	}
	defer closeLane()
	var data bytes.Buffer
	if err := pprof.StartCPUProfile(&data); err != nil {
		return profiled{}, err
	}
	testing.Benchmark(run)
	pprof.StopCPUProfile()
	p, err := profile.Parse(&data)
	if err != nil {
		return profiled{}, err
	}
	functions, goroutines := map[string]int64{}, map[string]int64{}
	for _, sample := range p.Sample {
		spent := sample.Value[len(sample.Value)-1]
		first, last := sample.Location[0], sample.Location[len(sample.Location)-1]
		functions[first.Line[0].Function.Name] += spent
		goroutines[last.Line[len(last.Line)-1].Function.Name] += spent
	}
	return profiled{Peer: l.peer, Functions: largest(functions), Goroutines: largest(goroutines)}, nil
}

// largest are the six that make up most, in percent of all, but none of no percent.
func largest(spent map[string]int64) []share {
	total := int64(0)
	for _, ns := range spent {
		total += ns
	}
	var shares []share
	for name, ns := range spent {
		if percent := 100 * float64(ns) / float64(total); percent >= 0.5 {
			shares = append(shares, share{short(name), percent})
		}
	}
	slices.SortFunc(shares, func(a, b share) int { return cmp.Or(cmp.Compare(b.Percent, a.Percent), cmp.Compare(a.Name, b.Name)) })
	return shares[:min(6, len(shares))]
}

// short takes the path off the name of a package.
func short(function string) string { return function[strings.LastIndexByte(function, '/')+1:] }

// profilePart is the chapter of the profiles, with what is known of the reasons.
func profilePart(profiles []profiled) part {
	t := table{{"series", "peer", "functions", "goroutines"}}
	groups := map[string]bool{}
	for _, p := range profiles {
		t = append(t, []string{p.Series, p.Peer, shareList(p.Functions), shareList(p.Goroutines)})
		group, _, _ := strings.Cut(p.Series, "/")
		groups[group] = true
	}
	why := part{
		ID: "profiles", Title: "Where the time goes in what misses a goal", Tables: []table{t},
		Text: "One more turn of our lanes in these series, with the profiler: the functions in which the processors' time is spent, and the goroutines for which it is, by the functions that they began with, in percent.",
	}
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		if reason := reasons[group]; reason != "" {
			why.Notes = append(why.Notes, group+": "+reason)
		}
	}
	return why
}

// reasons say, by group, what stands in the way of goals, beside the rounds of a
// machine that others use as well.
var reasons = map[string]string{
	"Hit":       "a view looks at the context, calls through an interface and makes a value of its type out of what is kept; a bare hit of so few entries costs so little that these are a good part of it.",
	"Mix":       "each Set asks the clock, for an entry ends to the millisecond, and makes a node, so that reads need no lock. The peers that come near do not end entries by themselves (otter as it comes), all at one age (golang-lru), or by a coarser clock (otter-coarse, freecache).",
	"Copy":      "to make room for the copy and to fill it is most of a hit that copies, and all peers do that. Of many entries, chain, node and value are three places in memory, each of which has to be fetched.",
	"File":      "a read makes fresh memory for the value and has the kernel fill it, as os.ReadFile does; the head takes a page more of a file of 4 KiB. A write sets the time by which Has and the evictions go, and holds a lock against other processes: two system calls that the raw one does not make.",
	"Gcs":       "the service is in this process (http.(*conn).serve) and takes more of the processors than any other goroutine; a loop alone keeps more than one of them busy, so that calls side by side cannot gain the factor of two.",
	"Redis":     "each command of a batch is wrapped, so that the driver does not repeat it, and its reply is looked at.",
	"Memcached": "it is the system's work on both sides; rounds are further apart (± in the table) than the result is from the goal.",
	"Uwsgi":     "it is the system's work of a connection for each key, on both sides; rounds are further apart (± in the table) than the result is from the goal.",
	"UwsgiUnix": "as over TCP.",
}

func shareList(shares []share) string {
	texts := make([]string, len(shares))
	for i, s := range shares {
		texts[i] = fmt.Sprintf("%s %.0f", s.Name, s.Percent)
	}
	return strings.Join(texts, ", ")
}
