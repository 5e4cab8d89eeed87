// Command bench compares the backends with their peers in one run, and with
// Flask-Caching.
//
//	bench [-run regexp] [-quick] [-rounds 7] [-time 60ms] [-dirs name=dir,...] [-out results] [-goals]
//	bench -from results/results.txt [-goals]
//	bench -against old-bench [-run regexp]
//
// Peers take turns within each round, so that a machine that gets slower affects all
// of them. Compared are the values of one round; shown is the median of their ratios
// with its interval. The report is a directory: results.md with the tables,
// overview.svg, and results.txt with every value in the format of go test -bench, for
// benchstat and for -from. With -goals the goals of the project follow on standard
// output. The exit status is 1 if one is missed and 2 if something failed. An interrupt ends
// the run, and the report has what was measured until then.
//
// With -against the backends of this binary are compared with those of another build.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/perf/benchfmt"

	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
	"github.com/cachebackends/cachebackends/tools/bench/internal/report"
	"github.com/cachebackends/cachebackends/tools/bench/internal/stores"
)

type options struct {
	run, dirs, out, from, against string
	quick, ours, goals            bool
	rounds                        int
	turn                          time.Duration
}

func main() {
	if stores.Write() {
		return
	}
	var o options
	flag.StringVar(&o.run, "run", "", "measure only the series that match, for example Hit/entries=500")
	flag.BoolVar(&o.quick, "quick", false, "a first impression in a few minutes: two rounds of short turns, nothing large")
	flag.IntVar(&o.rounds, "rounds", 7, "rounds in which every peer has a turn; six are enough for an interval")
	flag.DurationVar(&o.turn, "time", 60*time.Millisecond, "time of one turn")
	flag.StringVar(&o.dirs, "dirs", defaultDirs(), "directories for the files, each with a name")
	flag.StringVar(&o.out, "out", "results", "directory of the report, or - for the values on standard output")
	flag.BoolVar(&o.ours, "ours", false, "measure only the backends of this project")
	flag.BoolVar(&o.goals, "goals", false, "print which goals are met, and exit with status 1 if one is missed")
	flag.StringVar(&o.from, "from", "", "measure nothing: read the values from this results.txt")
	flag.StringVar(&o.against, "against", "", "compare with this other build of bench")
	flag.Parse()
	if o.quick {
		o.rounds, o.turn = 2, 10*time.Millisecond
	}
	met, err := o.bench(groups(strings.Split(o.dirs, ",")))
	stores.StopServers()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	if !met {
		os.Exit(1)
	}
}

// defaultDirs are a directory for temporary files and, on Linux, one in memory.
func defaultDirs() string {
	dirs := "temp=" + os.TempDir()
	if _, err := os.Stat("/dev/shm"); err == nil {
		dirs += ",memory=/dev/shm"
	}
	return dirs
}

// bench reports whether every goal is met, if that was asked.
func (o options) bench(all []group) (met bool, err error) {
	if o.against != "" {
		return true, o.compareBuilds(all)
	}
	facts, results, failed := o.results(all)
	if len(results) == 0 {
		return false, failed
	}
	if o.out == "-" {
		err = measure.Write(os.Stdout, facts, results)
	} else {
		var sections []report.Section
		for _, g := range all {
			sections = append(sections, g.Section)
		}
		err = report.Write(o.out, sections, peerNotes(all), facts, results)
	}
	met = !o.goals || checkGoals(os.Stdout, measure.Cases(results))
	return met, errors.Join(failed, err)
}

// results are those of this run, or of an earlier one.
func (o options) results(all []group) (facts []benchfmt.Config, results []*benchfmt.Result, err error) {
	if o.from != "" {
		data, err := os.ReadFile(o.from)
		if err != nil {
			return nil, nil, err
		}
		return measure.Read(bytes.NewReader(data), o.from)
	}
	selected, leftOut, err := o.selected(all)
	if err != nil {
		return nil, nil, err
	}
	testing.Init()
	if err := flag.Set("test.benchtime", o.turn.String()); err != nil {
		return nil, nil, err
	}
	facts = o.facts(leftOut)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // a second interrupt ends the process
	results, failed := measure.Run(ctx, selected, o.rounds, func(at int, s measure.Series) { progress(at, selected) })
	return facts, results, errors.Join(failed...)
}

func progress(at int, selected []measure.Series) {
	fmt.Fprintf(os.Stderr, "%d of %d: %s\n", at+1, len(selected), selected[at].Name)
}

func (o options) facts(leftOut []string) []benchfmt.Config {
	rounds := fmt.Sprintf("%d rounds of %v", o.rounds, o.turn)
	if o.quick {
		rounds += " (a quick run)"
	}
	return report.Facts("go run ./tools/bench "+strings.Join(os.Args[1:], " "), rounds, stores.Versions(), leftOut)
}

// selected are the series that match and can be measured here. leftOut is why others
// that match cannot.
func (o options) selected(all []group) (selected []measure.Series, leftOut []string, err error) {
	wanted, err := regexp.Compile(o.run)
	if err != nil {
		return nil, nil, err
	}
	for _, g := range all {
		for _, s := range g.series {
			if !wanted.MatchString(s.Name) {
				continue
			}
			why := ""
			if s.Missing != nil {
				why = s.Missing()
			}
			if why == "" && o.quick && s.Heavy {
				why = "-quick leaves out series of many entries"
			}
			if why != "" {
				leftOut = append(leftOut, why)
				continue
			}
			if o.quick {
				s.Ops = (s.Ops + 9) / 10
			}
			if o.ours {
				s.Lanes = slices.DeleteFunc(slices.Clone(s.Lanes), func(l measure.Lane) bool { return !l.Ours })
			}
			selected = append(selected, s)
		}
	}
	if len(selected) == 0 {
		err = fmt.Errorf("-run %q selects nothing; left out: %q", o.run, leftOut)
	}
	slices.Sort(leftOut)
	return selected, slices.Compact(leftOut), err
}
