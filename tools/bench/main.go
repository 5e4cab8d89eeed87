package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
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

func main() {
	met, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	if !met {
		os.Exit(1)
	}
}

type options struct {
	run     string
	quick   bool
	rounds  int
	turn    time.Duration
	dirs    string
	out     string
	ours    bool
	goals   bool
	from    string
	against string
}

// run reports whether every goal that was asked about is met.
func run() (met bool, err error) {
	var o options
	flag.StringVar(&o.run, "run", "", "measure only the series that match, for example Hit/entries=500")
	flag.BoolVar(&o.quick, "quick", false, "a first impression in a few minutes: short turns, two rounds, nothing large")
	flag.IntVar(&o.rounds, "rounds", 7, "rounds in which every peer has a turn; six are enough for an interval")
	flag.DurationVar(&o.turn, "time", 60*time.Millisecond, "time of one turn")
	flag.StringVar(&o.dirs, "dirs", strings.Join(stores.Dirs(), ","), "directories on different file systems for the files")
	flag.StringVar(&o.out, "out", "results", "directory of the report, or - for the values on standard output")
	flag.BoolVar(&o.ours, "ours", false, "measure only the backends of this project")
	flag.BoolVar(&o.goals, "goals", false, "print which goals are met, and exit with status 1 if one is missed")
	flag.StringVar(&o.from, "from", "", "measure nothing: read the values from this results.txt")
	flag.StringVar(&o.against, "against", "", "compare with this other build of bench")
	flag.Parse()
	if o.quick {
		o.rounds, o.turn = 2, 10*time.Millisecond
	}
	if o.rounds < 1 {
		return false, errors.New("-rounds must be at least 1")
	}
	all := groups(strings.Split(o.dirs, ","))
	if o.against != "" {
		return true, against(o, all)
	}
	facts, results, err := o.results(all)
	if err != nil {
		return false, err
	}
	var sections []report.Section
	for _, g := range all {
		sections = append(sections, g.Section)
	}
	if o.out == "-" {
		err = measure.Write(os.Stdout, facts, results)
	} else {
		err = report.Write(o.out, sections, notes(all), facts, results)
	}
	if err != nil || !o.goals {
		return err == nil, err
	}
	return checkGoals(os.Stdout, measure.Cases(results)), nil
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
	facts = report.Facts(commandLine(os.Args[1:]), o.rounds, stores.Versions(), leftOut)
	results, failed := measure.Run(selected, o.rounds, func(at int, s measure.Series) {
		fmt.Fprintf(os.Stderr, "%d of %d: %s\n", at+1, len(selected), s.Name)
	})
	return facts, results, errors.Join(failed...)
}

// selected are the series that match and can be measured here. It names the groups in
// which one cannot, and why.
func (o options) selected(all []group) (selected []measure.Series, leftOut []string, err error) {
	wanted, err := regexp.Compile(o.run)
	if err != nil {
		return nil, nil, err
	}
	matches := 0
	for _, g := range all {
		for _, s := range g.series {
			if !wanted.MatchString(s.Name) {
				continue
			}
			matches++
			why := ""
			if s.Missing != nil {
				why = s.Missing()
			}
			if why != "" {
				why = g.Name + ": " + why
			} else if o.quick && s.Heavy {
				why = "series of many entries, which -quick does not measure"
			}
			if why != "" {
				if !slices.Contains(leftOut, why) {
					leftOut = append(leftOut, why)
				}
				continue
			}
			if o.ours {
				s.Lanes = slices.DeleteFunc(slices.Clone(s.Lanes), func(l measure.Lane) bool { return !l.Ours })
			}
			selected = append(selected, s)
		}
	}
	if matches == 0 {
		return nil, nil, fmt.Errorf("-run %q matches nothing", o.run)
	}
	return selected, leftOut, nil
}

// notes are what the peers lack, each peer once.
func notes(all []group) []report.Note {
	var notes []report.Note
	seen := map[string]bool{}
	for _, g := range all {
		for _, s := range g.series {
			for _, l := range s.Lanes {
				if !seen[l.Peer] && l.Lacks != "" {
					seen[l.Peer] = true
					notes = append(notes, report.Note{Peer: l.Peer, Lacks: l.Lacks})
				}
			}
		}
	}
	return notes
}

// commandLine is what to type, in a shell, for this run.
func commandLine(args []string) string {
	line := "go run ./tools/bench"
	for _, arg := range args {
		if strings.ContainsAny(arg, "|()*[]$ ") {
			arg = "'" + arg + "'"
		}
		line += " " + arg
	}
	return line
}
