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
	"text/tabwriter"

	"golang.org/x/perf/benchfmt"

	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
	"github.com/cachebackends/cachebackends/tools/bench/internal/report"
	"github.com/cachebackends/cachebackends/tools/bench/internal/stores"
)

// against compares this binary with another build of it. In each round both run as a
// new process, one after the other, on the same servers; the values of both are
// written into the directory of the report.
func against(o options, all []group) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	o.ours = true
	selected, _, err := o.selected(all)
	if err != nil {
		return err
	}
	stop, err := stores.StartAll()
	if err != nil {
		return err
	}
	defer stop()
	var builds = [2]struct {
		name, program string
		results       []*benchfmt.Result
	}{{name: "old", program: o.against}, {name: "new", program: self}}
	var failed []error
	for at, s := range selected {
		fmt.Fprintf(os.Stderr, "%d of %d: %s\n", at+1, len(selected), s.Name)
		for round := range s.RoundsOf(o.rounds) {
			var measured [2][]*benchfmt.Result
			for turn := range builds {
				b := (turn + round) % 2
				if measured[b], err = o.child(builds[b].program, s.Name); err != nil {
					err = fmt.Errorf("%s, %s build: %w", s.Name, builds[b].name, err)
					break
				}
			}
			if err != nil {
				failed = append(failed, err)
				break
			}
			for b := range builds {
				builds[b].results = append(builds[b].results, measured[b]...)
			}
		}
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	for _, b := range builds {
		var text bytes.Buffer
		err := measure.Write(&text, report.Facts(commandLine(os.Args[1:]), o.rounds, stores.Versions(), nil), b.results)
		failed = append(failed, err, os.WriteFile(filepath.Join(o.out, b.name+".txt"), text.Bytes(), 0o644))
	}
	printRatios(os.Stdout, measure.Cases(builds[0].results), measure.Cases(builds[1].results))
	return errors.Join(failed...)
}

// child measures our lanes of a series once.
func (o options) child(program, series string) ([]*benchfmt.Result, error) {
	cmd := exec.Command(program, "-ours", "-run", "^"+regexp.QuoteMeta(series)+"$", "-rounds", "1",
		"-time", o.turn.String(), "-dirs", o.dirs, "-out", "-")
	var failure bytes.Buffer
	cmd.Stderr = &failure
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, failure.Bytes())
	}
	_, results, err := measure.Read(bytes.NewReader(out), program)
	return results, err
}

// printRatios shows the new times relative to the old ones, round by round.
func printRatios(w io.Writer, old, new []*measure.Case) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "series\tpeer\told\tnew\tratio\tinterval\tallocs old\tnew\t")
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
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%.3f\t%.3f to %.3f\t%.0f\t%.0f\t\n", after, p.Name,
					report.Quantity(was.Median(measure.Time), measure.Time), report.Quantity(p.Median(measure.Time), measure.Time),
					ratio.Center, ratio.Lo, ratio.Hi, was.Median(measure.Allocs), p.Median(measure.Allocs))
			}
		}
	}
	t.Flush()
}
