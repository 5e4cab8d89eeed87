// Conformance-report summarizes reports of the conformance suite in a table for a
// README and in a self-contained HTML page.
//
// Run the suite, then the command over the directory of its reports:
//
//	CONFORMANCE_REPORT=$PWD/reports go test ./...
//	go run github.com/cachebackends/cachebackends/conformance/cmd/conformance-report -readme README.md -o support.html -rules rules reports
//
// The README needs the lines "<!-- matrix -->" and "<!-- /matrix -->"; the table
// is written between them. It has a column for each backend. A report named
// redis-cluster is a variant of redis if there is a report named redis: the table
// shows in notes where variants differ, the page gives each a column.
//
// With -rules the command writes a page for each rule: what it says, why, which defects
// break it, and in which backends it holds. The page of all rules links to them.
//
// # Reports under version control
//
// Reports contain durations and times, which differ in every run. With -merge RUN
// the command first merges the reports of RUN into the directory, in a short form
// that only changes when a result, a limit or a server does. A rule that the run
// skipped keeps its earlier result. A report with failures is not merged.
//
// With -check nothing is written. Every file that is stale, and with -merge every
// result that differs from the directory, is printed.
//
// Exit status: 0 if nothing was found, 1 if a report failed or something is stale,
// 2 if the command could not do its work.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

const (
	statusFindings = 1
	statusFailed   = 2
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// command is one invocation of the program.
type command struct {
	reports string // directory
	merge   string // directory of a run; empty: none
	page    string // file; empty: not wanted
	readmes []string
	rules   string // directory of the pages of rules; empty: not wanted
	check   bool
	strict  bool

	stdout, stderr io.Writer
	findings       int
}

// run is the whole program. It returns the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	c := &command{stdout: stdout, stderr: stderr}
	flags := flag.NewFlagSet("conformance-report", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: conformance-report [flags] DIRECTORY\n\nSummarizes the reports of the conformance suite in DIRECTORY.")
		flags.PrintDefaults()
	}
	flags.StringVar(&c.page, "o", "", "write the HTML page to `file`")
	flags.StringVar(&c.rules, "rules", "", "write a page for each rule into `directory`")
	flags.Func("readme", "write the table into `file`, between <!-- matrix --> and <!-- /matrix -->; may be repeated", func(file string) error {
		c.readmes = append(c.readmes, file)
		return nil
	})
	flags.StringVar(&c.merge, "merge", "", "merge the reports of a run in `directory` into DIRECTORY first")
	flags.BoolVar(&c.check, "check", false, "write nothing, print what is stale")
	flags.BoolVar(&c.strict, "strict", false, "with -check and -merge: a backend that the run lacks is a finding")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return statusFailed
	case flags.NArg() != 1:
		flags.Usage()
		return statusFailed
	}
	c.reports = flags.Arg(0)
	switch err := c.run(); {
	case err != nil:
		fmt.Fprintln(stderr, "conformance-report:", err)
		return statusFailed
	case c.findings > 0:
		return statusFindings
	}
	return 0
}

// find prints a finding.
func (c *command) find(format string, args ...any) {
	c.findings++
	fmt.Fprintf(c.stdout, format+"\n", args...)
}

func (c *command) run() error {
	kept, err := readReports(c.reports)
	if err != nil {
		return err
	}
	if c.merge != "" {
		if err := c.mergeRun(kept); err != nil {
			return err
		}
	}
	if len(kept) == 0 {
		return fmt.Errorf("%s has no reports", c.reports)
	}
	backends := group(kept)
	for r := range columns(backends) {
		for _, id := range r.unknownRules() {
			c.find("%s: the suite has no rule %s", r.Backend, id)
		}
	}
	if c.page != "" {
		page, err := c.renderPage(backends)
		if err != nil {
			return err
		}
		if err := c.write(c.page, page); err != nil {
			return err
		}
	}
	if c.rules != "" {
		if err := c.writeRules(backends); err != nil {
			return err
		}
	}
	for _, name := range c.readmes {
		readme, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if readme, err = c.insertTable(name, readme, backends); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := c.write(name, readme); err != nil {
			return err
		}
	}
	return nil
}

// write writes a file, or with -check finds that it is stale.
func (c *command) write(name string, data []byte) error {
	current, err := os.ReadFile(name)
	switch {
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return err
	case err == nil && bytes.Equal(current, data):
		return nil
	case c.check:
		c.find("%s is stale", name)
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, data, 0o644)
}
