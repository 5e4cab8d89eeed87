package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
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

// run reports whether every goal that was looked at is met.
func run() (met bool, err error) {
	pattern := flag.String("run", "", "measure only the series that match, such as Hit/shared/500")
	quick := flag.Bool("quick", false, "a first impression in less than three minutes: short turns, two rounds, nothing large")
	rounds := flag.Int("rounds", 11, "rounds in which every peer has a turn")
	turn := flag.Duration("time", 60*time.Millisecond, "time of one turn")
	dirs := flag.String("dirs", strings.Join(defaultDirs(), ","), "directories on different file systems for the files")
	out := flag.String("out", "results", "directory to write the report into")
	profile := flag.Bool("profile", false, "measure nothing: add to the report in -out where the time goes in what misses a goal")
	flag.Parse()
	wanted, err := regexp.Compile(*pattern)
	if err != nil {
		return false, err
	}
	if *rounds < 1 {
		return false, errors.New("-rounds must be at least 1")
	}
	if *quick {
		*rounds, *turn = 2, 10*time.Millisecond
	}
	testing.Init()
	if err := flag.Set("test.benchtime", turn.String()); err != nil {
		return false, err
	}

	all := slices.DeleteFunc(allSeries(strings.Split(*dirs, ",")), func(s series) bool { return !wanted.MatchString(s.title()) })
	if len(all) == 0 {
		return false, fmt.Errorf("-run %q matches nothing", *pattern)
	}
	var r report
	if *profile {
		r, err = readReport(*out)
	} else {
		r = measured(all, *quick, *rounds, *turn)
	}
	if err != nil {
		return false, err
	}
	r.Goals = checkGoals(r.Results)
	if err := r.write(*out); err != nil {
		return false, err
	}
	if !*quick {
		if r.Profiles, err = profileMissed(all, r.Goals); err == nil {
			err = r.write(*out)
		}
		if err != nil {
			return false, err
		}
	}
	missed := slices.DeleteFunc(slices.Clone(r.Goals), func(g goal) bool { return g.Met })
	fmt.Printf("%d of %d goals met\n", len(r.Goals)-len(missed), len(r.Goals))
	for _, g := range missed {
		fmt.Printf("missed: %s: %.2f, limit %.2f\n", g.Text, g.Value, g.Limit)
	}
	fmt.Printf("the report is %s/results.html, and .md, .json and .txt beside it\n", strings.TrimSuffix(*out, "/"))
	if len(r.Failed) > 0 {
		return false, errors.New("failed:\n" + strings.Join(r.Failed, "\n"))
	}
	return len(missed) == 0, nil
}

// measured is the report of one run, but for what can be said of its results.
func measured(all []series, quick bool, rounds int, turn time.Duration) report {
	leftOut := missing(all)
	if quick && slices.ContainsFunc(all, func(s series) bool { return s.heavy }) {
		leftOut = append(leftOut, "what takes long: this was a quick run")
	}
	all = slices.DeleteFunc(slices.Clone(all), func(s series) bool { return s.missing != "" || quick && s.heavy })
	r := report{
		Command: commandLine(os.Args[1:]),
		Date:    time.Now().UTC().Truncate(time.Second),
		Machine: machine(),
		Servers: serverVersions(),
		Modules: modules(),
		Rounds:  rounds,
		LeftOut: leftOut,
	}
	r.Results, r.Failed = measure(all, rounds, newProgress(all, rounds, turn))
	return r
}

// commandLine is what to type, in a shell, for this very run.
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
