package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"text/tabwriter"

	"golang.org/x/perf/benchfmt"

	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
	"github.com/cachebackends/cachebackends/tools/bench/internal/report"
)

// compareBuilds compares this binary with another build of it. In each round both run
// as a new process, one after the other, on the same servers. The values of both are
// written into the directory of the report, as old.txt and new.txt.
func (o options) compareBuilds(all []group) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	o.ours = true
	selected, _, err := o.selected(all)
	if err != nil {
		return err
	}
	names, programs := [2]string{"old", "new"}, [2]string{o.against, self}
	var results [2][]*benchfmt.Result
	var failed []error
	for at, s := range selected {
		progress(at, selected)
		measured, err := o.alternate(s, programs)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", s.Name, err))
			continue
		}
		for b := range results {
			results[b] = append(results[b], measured[b]...)
		}
	}
	failed = append(failed, os.MkdirAll(o.out, 0o755))
	for b, name := range names {
		var text bytes.Buffer
		failed = append(failed, measure.Write(&text, o.facts(nil), results[b]),
			os.WriteFile(filepath.Join(o.out, name+".txt"), text.Bytes(), 0o644))
	}
	printRatios(os.Stdout, measure.Cases(results[0]), measure.Cases(results[1]))
	return errors.Join(failed...)
}

// alternate measures our lanes of s with both programs in turns.
func (o options) alternate(s measure.Series, programs [2]string) (results [2][]*benchfmt.Result, err error) {
	if s.Setup != nil {
		release, err := s.Setup() // starts the server, if there is one, for both
		if err != nil {
			return results, err
		}
		release()
	}
	for round := range s.RoundsOf(o.rounds) {
		for turn := range programs {
			b := (turn + round) % len(programs)
			cmd := exec.Command(programs[b], "-ours", "-run", "^"+regexp.QuoteMeta(s.Name)+"$", "-rounds", "1",
				"-time", o.turn.String(), "-dirs", o.dirs, "-out", "-")
			var failure bytes.Buffer
			cmd.Stderr = &failure
			out, err := cmd.Output()
			if err != nil {
				return results, fmt.Errorf("%s: %w\n%s", programs[b], err, failure.Bytes())
			}
			_, measured, err := measure.Read(bytes.NewReader(out), programs[b])
			if err != nil {
				return results, err
			}
			results[b] = append(results[b], measured...)
		}
	}
	return results, nil
}

// printRatios shows the new times relative to the old ones: the median of the rounds'
// ratios with its interval, and the ratio of the fastest rounds, which the load of a
// shared machine affects least.
func printRatios(w io.Writer, old, new []*measure.Case) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "series\tpeer\told\tnew\tratio\tinterval\tof fastest\tallocs old\tnew\t")
	for _, after := range new {
		for _, before := range old {
			if before.String() != after.String() {
				continue
			}
			for _, p := range after.Peers {
				was := before.Peer(p.Name)
				if was == nil {
					continue
				}
				ratio := p.Ratio(was, measure.Time)
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%.3f\t%.3f to %.3f\t%.3f\t%.0f\t%.0f\t\n", after, p.Name,
					report.Quantity(was.Median(measure.Time), measure.Time), report.Quantity(p.Median(measure.Time), measure.Time),
					ratio.Center, ratio.Lo, ratio.Hi, slices.Min(p.Values[measure.Time])/slices.Min(was.Values[measure.Time]),
					was.Median(measure.Allocs), p.Median(measure.Allocs))
			}
		}
	}
	t.Flush()
}
