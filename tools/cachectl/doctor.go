package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/cachebackends/cachebackends/conformance"
	"github.com/spf13/cobra"
)

type doctorFlags struct {
	write  bool
	rules  bool
	all    bool
	strict bool
	sample int
}

func (a *app) doctorCommand() *cobra.Command {
	var flags doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check the installation: settings, server, expiry, clock and permissions",
		Long: `Check the installation: the connection, the key prefix on a shared server, entries without
a TTL, the eviction policy and memory of the server, its connections, persistence and role,
the difference of the clocks, and the operations that fail. Each finding has a remedy. The
exit status is 3 if there is a problem, or with --strict a warning.

Nothing is changed, except with --write, which also checks the operations that write, and
with --rules, which checks the rules of the conformance suite that are safe for a store in
use. Both use keys of their own and remove them.`,
		Example: `  cachectl doctor
  cachectl doctor --write --strict
  cachectl doctor --rules --json`,
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.BoolVarP(&flags.write, "write", "w", false, "check the operations that write, with keys of its own")
	f.BoolVar(&flags.rules, "rules", false, "check the backend against the rules of the conformance suite, with keys of its own")
	f.BoolVarP(&flags.all, "all", "a", false, "with --rules: list every rule, with the reason if it was not checked")
	f.BoolVar(&flags.strict, "strict", false, "exit with status 3 after a warning too")
	f.IntVar(&flags.sample, "sample", 1000, "number of `ENTRIES` to look at")
	cmd.PreRun = func(*cobra.Command, []string) { a.unbounded = true } // the check must not evict entries
	doctor := a.withStore(func(ctx context.Context, s *entryStore, _ []string) error {
		return a.doctor(ctx, s, flags)
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case flags.sample < 1:
			return usagef("--sample %d is not positive", flags.sample)
		case flags.all && !flags.rules:
			return usagef("--all has no effect without --rules")
		}
		return doctor(cmd, args)
	}
	return cmd
}

// Outcomes of a check.
const (
	outcomeOK      = "ok"
	outcomeWarning = "warning"
	outcomeProblem = "problem"
	outcomeSkipped = "skipped"
)

// finding is the result of one check.
type finding struct {
	Outcome string `json:"outcome"`
	Check   string `json:"check"`
	Detail  string `json:"detail"`
	Remedy  string `json:"remedy,omitempty"`
}

func (a *app) doctor(ctx context.Context, s *entryStore, flags doctorFlags) error {
	layers, err := a.layers()
	if err != nil {
		return err
	}
	if err := s.cache.Ping(ctx); err != nil { // without a connection nothing else can be said
		return err
	}
	d := &diagnosis{store: s, config: merge(layers), flags: flags}
	d.run(ctx)
	fields := object{"findings": d.findings}
	text := findingsText(d.findings)
	failed := d.count(outcomeProblem)
	if flags.rules && ctx.Err() == nil {
		if isTerminal(a.stderr) {
			io.WriteString(a.stderr, "cachectl: checking rules, this takes some seconds\n")
		}
		report := conformance.Check(ctx, s.cache.Backend())
		fields["report"] = report
		text = append(text, rulesText(report, flags.all)...)
		if !report.OK() {
			failed++
		}
	}
	if flags.strict {
		failed += d.count(outcomeWarning)
	}
	fields["ok"] = failed == 0
	if err := a.result(true, fields, text); err != nil {
		return err
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case failed > 0:
		return errors.New("the installation has problems")
	}
	return nil
}

func findingsText(findings []finding) []byte {
	var text bytes.Buffer
	for _, f := range findings {
		fmt.Fprintf(&text, "%-8s %-12s %s\n", f.Outcome, f.Check, indent(f.Detail, 22))
		if f.Remedy != "" {
			fmt.Fprintf(&text, "%22s-> %s\n", "", indent(f.Remedy, 25))
		}
	}
	return text.Bytes()
}

func indent(text string, columns int) string {
	return strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", columns))
}

// rulesText lists the violated rules, or all rules, and the totals. A rule that fails
// with another one is named after it.
func rulesText(report conformance.Report, all bool) []byte {
	var text bytes.Buffer
	for _, result := range report.Results {
		violated := result.Outcome == conformance.Fail || result.Outcome == conformance.Error
		if !all && (!violated || result.Cause != "") {
			continue
		}
		fmt.Fprintf(&text, "%-11s  %s: %s\n", result.Outcome, result.ID, result.Rule)
		if result.Reason != "" {
			fmt.Fprintf(&text, "             %s\n", indent(result.Reason, 13))
		}
	}
	for _, cause := range report.Causes() {
		fmt.Fprintln(&text, cause)
	}
	fmt.Fprintf(&text, "rules: %s\n", report)
	return text.Bytes()
}

// shownLatency returns a duration with three digits.
func shownLatency(d time.Duration) string {
	unit := time.Nanosecond
	for unit*1000 <= d {
		unit *= 10
	}
	return d.Round(unit).String()
}
