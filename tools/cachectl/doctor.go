package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/cachebackends/cachebackends/conformance"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/spf13/cobra"
)

func (a *app) doctorCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Open the backend and check it against the rules all backends keep",
		Long: `Open the backend and check it against the rules all backends keep: those of the
conformance suite that do no harm to a store in use. Its keys are its own, and removed.
The exit status is 3 where a rule is broken.`,
		Args: cobra.NoArgs,
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "list every rule, and why one was not checked")
	cmd.RunE = a.withCache(func(ctx context.Context, c *cache.Cache, _ []string) error {
		ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
		defer stop()
		start := time.Now()
		if err := c.Ping(ctx); err != nil {
			return err
		}
		ping := time.Since(start)
		done := a.watch("checking")
		report := conformance.Check(ctx, c.Backend())
		done()
		fields := object{"ok": report.OK(), "ping_seconds": ping.Seconds(), "report": report}
		if err := a.answer(true, fields, doctorTable(report, ping, all)); err != nil {
			return err
		}
		if !report.OK() {
			return errors.New("the backend breaks rules")
		}
		return nil
	}, unbounded)
	return cmd
}

// unbounded keeps the entries of the check from evicting those that are there.
var unbounded = layer{"doctor", cache.FromMap(map[string]any{"CACHE_THRESHOLD": 0})}

// doctorTable counts the outcomes by family of rules, and lists what is broken.
func doctorTable(report conformance.Report, ping time.Duration, all bool) []byte {
	outcomes := []conformance.Outcome{conformance.Pass, conformance.Fail, conformance.Unsupported, conformance.Skipped, conformance.Error}
	var (
		families []string
		counts   = make(map[string]map[conformance.Outcome]int)
		table    bytes.Buffer
	)
	for _, result := range report.Results {
		family, _, _ := strings.Cut(result.ID, "-")
		if counts[family] == nil {
			families = append(families, family)
			counts[family] = make(map[conformance.Outcome]int)
		}
		counts[family][result.Outcome]++
	}
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "rules\t")
	for _, outcome := range outcomes {
		fmt.Fprintf(w, "%s\t", outcome)
	}
	fmt.Fprintln(w)
	for _, family := range families {
		fmt.Fprintf(w, "%s\t", family)
		for _, outcome := range outcomes {
			fmt.Fprintf(w, "%d\t", counts[family][outcome])
		}
		fmt.Fprintln(w)
	}
	w.Flush()
	for _, result := range report.Results {
		if broken := result.Outcome == conformance.Fail || result.Outcome == conformance.Error; !broken && !all {
			continue
		}
		fmt.Fprintf(&table, "\n%-11s  %s: %s", result.Outcome, result.ID, result.Rule)
		if result.Reason != "" {
			fmt.Fprint(&table, "\n             ", strings.ReplaceAll(result.Reason, "\n", "\n             "))
		}
	}
	fmt.Fprintf(&table, "\nping %v; %s\n", ping, report)
	return table.Bytes()
}
