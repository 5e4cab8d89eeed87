package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/cachebackends/cachebackends/conformance"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/spf13/cobra"
)

func (a *app) doctorCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check the backend against the rules of the conformance suite",
		Long: `Check the backend against the rules of the conformance suite that are safe for a
store in use. The check uses keys of its own and removes them. The exit status is 3 if
a rule is violated.`,
		Args: cobra.NoArgs,
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "list every rule, with the reason if it was not checked")
	cmd.PreRun = func(*cobra.Command, []string) { a.unbounded = true } // the check must not evict entries
	cmd.RunE = a.withCache(func(ctx context.Context, c *cache.Cache, _ []string) error {
		ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
		defer stop()
		start := time.Now()
		if err := c.Ping(ctx); err != nil {
			return err
		}
		ping := time.Since(start)
		if isTerminal(a.stderr) {
			io.WriteString(a.stderr, "cachectl: checking, this takes some seconds\n")
		}
		report := conformance.Check(ctx, c.Backend())
		fields := object{"ok": report.OK(), "ping_seconds": ping.Seconds(), "report": report}
		if err := a.result(true, fields, reportText(report, ping, all)); err != nil {
			return err
		}
		if !report.OK() {
			return errors.New("the backend violates rules")
		}
		return nil
	})
	return cmd
}

// reportText lists the violated rules, or all rules, and the totals. A rule that
// fails with another one is named after it.
func reportText(report conformance.Report, ping time.Duration, all bool) []byte {
	var text bytes.Buffer
	for _, result := range report.Results {
		violated := result.Outcome == conformance.Fail || result.Outcome == conformance.Error
		if !all && (!violated || result.Cause != "") {
			continue
		}
		fmt.Fprintf(&text, "%-11s  %s: %s\n", result.Outcome, result.ID, result.Rule)
		if result.Reason != "" {
			fmt.Fprintf(&text, "             %s\n", strings.ReplaceAll(result.Reason, "\n", "\n             "))
		}
	}
	for _, cause := range report.Causes() {
		fmt.Fprintln(&text, cause)
	}
	fmt.Fprintf(&text, "ping %v; %s\n", ping, report)
	return text.Bytes()
}
