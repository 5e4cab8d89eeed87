package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

const (
	recordsDir = "tools/mod/reports"
	matrixHTML = "docs/support.html"

	matrixBegin = "<!-- matrix -->\n"
	matrixEnd   = "<!-- /matrix -->\n"
)

func (a *app) matrixCommand() *cobra.Command {
	var reports string
	var check bool
	cmd := &cobra.Command{
		Use:   "matrix",
		Short: "Write what each backend can do, as the conformance suite found it, for people",
		Long: `Write what each backend can do, as the conformance suite found it, into README.md
and ` + matrixHTML + `.

What the suite found is recorded in ` + recordsDir + `, without what changes from
run to run. --reports takes what has changed since from the reports of a run:

  CONFORMANCE_REPORT=DIR go test ./conformance/integration
  mod matrix --reports DIR

--check writes nothing, and finds what is stale. A recorded backend that the run
has no report of is a finding only with CONFORMANCE_STRICT=1: not every machine
has every server. Rules that are skipped, or provisional, are never stale.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			w, err := a.open()
			if err != nil {
				return err
			}
			if check {
				return a.checkMatrix(w, reports)
			}
			return a.writeMatrix(w, reports)
		},
	}
	cmd.Flags().StringVar(&reports, "reports", "", "`DIRECTORY` of the reports of a run of the suite")
	cmd.Flags().BoolVar(&check, "check", false, "find what is stale, and write nothing")
	return cmd
}

// checkMatrix holds the run in dir against the records, and the records against
// the rules and against the files made from them.
func (a *app) checkMatrix(w *workspace, dir string) error {
	records, err := readRecords(w)
	if err != nil {
		return err
	}
	var found findings
	if dir != "" {
		runs, err := readRuns(w, dir, &found)
		if err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(runs)) {
			for _, change := range records[name].changes(runs[name]) {
				found.add(w.moduleOf(name), "matrix", "%s: %s", name, change)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(records)) {
			if _, is := runs[name]; is {
				continue
			}
			if os.Getenv("CONFORMANCE_STRICT") == "1" {
				found.add(w.moduleOf(name), "matrix", "%[1]s is recorded, and not in this run; where it is gone for good, remove %[2]s/%[1]s.json", name, recordsDir)
			} else {
				fmt.Fprintf(a.stderr, "mod: %s is not in this run, and not compared\n", name)
			}
		}
	}
	files, err := w.matrixFiles(records)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		current, err := os.ReadFile(filepath.Join(w.Root, name))
		if err != nil && !os.IsNotExist(err) {
			return err
		}
		if !bytes.Equal(current, files[name]) {
			found.add("", "matrix", "%s is not what the records give; run mod matrix", name)
		}
	}
	w.unrecorded(records, &found)
	strayRules(records, &found)
	return a.report(found)
}

// writeMatrix takes the run in dir into the records, and writes the files made
// from them. What failed is not recorded.
func (a *app) writeMatrix(w *workspace, dir string) error {
	records, err := readRecords(w)
	if err != nil {
		return err
	}
	var found findings
	if dir != "" {
		runs, err := readRuns(w, dir, &found)
		if err != nil {
			return err
		}
		for name, run := range runs {
			if records[name].same(run) {
				continue
			}
			records[name] = run.over(records[name])
			if err := records[name].write(w); err != nil {
				return err
			}
			fmt.Fprintf(a.stderr, "mod: %s recorded\n", name)
		}
	}
	files, err := w.matrixFiles(records)
	if err != nil {
		return err
	}
	for name, data := range files {
		path := filepath.Join(w.Root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return err
		}
	}
	w.unrecorded(records, &found)
	strayRules(records, &found)
	return a.report(found)
}

// unrecorded finds the backends that nothing is recorded of.
func (w *workspace) unrecorded(records map[string]record, found *findings) {
	for _, m := range w.Modules {
		_, is := records[m.Dir]
		if m.Backend() && !is {
			found.add(m.Dir, "matrix", "no run of the suite is recorded; run make matrix")
		}
	}
}

// moduleOf returns the directory of the backend whose report has name: "redis"
// for redis and redis-cluster, "" for reports that are not of this repository.
func (w *workspace) moduleOf(name string) string {
	for _, m := range w.Modules {
		if m.Backend() && (name == m.Dir || strings.HasPrefix(name, m.Dir+"-")) {
			return m.Dir
		}
	}
	return ""
}

// matrixFiles returns the content of the files that are made from records, by
// their names.
func (w *workspace) matrixFiles(records map[string]record) (map[string][]byte, error) {
	readme, err := os.ReadFile(filepath.Join(w.Root, "README.md"))
	if err != nil {
		return nil, err
	}
	before, rest, begins := bytes.Cut(readme, []byte(matrixBegin))
	_, after, ends := bytes.Cut(rest, []byte(matrixEnd))
	if !begins || !ends {
		return nil, fmt.Errorf("README.md has no lines %s and %s", strings.TrimSpace(matrixBegin), strings.TrimSpace(matrixEnd))
	}
	backends := w.backendsOf(records)
	page, err := renderHTML(backends)
	if err != nil {
		return nil, err
	}
	table := renderMarkdown(backends)
	return map[string][]byte{
		"README.md": slices.Concat(before, []byte(matrixBegin), table, []byte(matrixEnd), after),
		matrixHTML:  page,
	}, nil
}
