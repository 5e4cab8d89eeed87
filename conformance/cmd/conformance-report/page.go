package main

import (
	"bytes"
	"cmp"
	_ "embed"
	"html/template"
	"iter"
	"path/filepath"
	"strings"

	"github.com/cachebackends/cachebackends/conformance"
)

//go:embed page.html
var pageHTML string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"number": func(index int) int { return index + 1 },
}).Parse(pageHTML))

// page is what the template shows: a column for each report.
type page struct {
	Suite    string
	RulesDir string // of the pages of rules, seen from this page; "" if there are none
	Backends []backend
	Matrix   []pageRow
	Chapters []chapter
	Runs     []pageRun
	Reasons  notes
}

// pageRow is a row of cells. Rule is set in the rows of rules.
type pageRow struct {
	Name  string
	Rule  conformance.Case
	Cells []pageCell
}

type pageCell struct {
	cell
	Note int // number of the reason; 0 for none
}

// chapter holds the rules whose IDs begin with the same letters.
type chapter struct {
	Name  string
	Rules []pageRow
}

// pageRun sums up one report.
type pageRun struct {
	report
	Passed, Unsupported, Waived, Skipped, Failed int // rules
}

// chapterNames are named by the letters that the IDs of their rules begin with.
var chapterNames = map[string]string{
	"DEC": "Declarations", "BAS": "Get and Set", "TTL": "Expiry", "KEY": "Keys", "VAL": "Values", "BAT": "Batches",
	"ADD": "Add", "DEL": "Delete", "CLR": "Clear", "CNT": "Counters",
	"APP": "Reads into the caller's memory", "LIF": "Values with their remaining TTL", "WAT": "Notices of changes", "STA": "Statistics", "SCN": "Lists of entries",
	"LSE": "Leases", "SWP": "Compare-and-swap", "EVI": "Eviction", "CON": "Concurrency",
	"CTX": "Contexts", "CLO": "Close", "PER": "Persistence", "CFG": "Settings and secrets", "ERR": "Errors",
	"MOD": "Sequences of calls", "NUL": "The null cache",
}

func (c *command) renderPage(backends []backend) ([]byte, error) {
	p := page{Suite: conformance.Version, Backends: backends}
	if c.rules != "" {
		dir, err := filepath.Rel(filepath.Dir(c.page), c.rules)
		if err != nil {
			return nil, err
		}
		p.RulesDir = filepath.ToSlash(dir)
	}
	for _, row := range rows(backends) {
		shown := pageRow{Name: strings.ReplaceAll(row.Name, "`", "")}
		for r := range columns(backends) {
			shown.Cells = append(shown.Cells, p.cell(row.cell(r)))
		}
		p.Matrix = append(p.Matrix, shown)
	}
	for _, rule := range conformance.Cases() {
		name := chapterOf(rule.ID)
		if len(p.Chapters) == 0 || p.Chapters[len(p.Chapters)-1].Name != name {
			p.Chapters = append(p.Chapters, chapter{Name: name})
		}
		shown := pageRow{Rule: rule}
		for r := range columns(backends) {
			shown.Cells = append(shown.Cells, p.cell(verdictCell(r.Rules[rule.ID])))
		}
		last := &p.Chapters[len(p.Chapters)-1]
		last.Rules = append(last.Rules, shown)
	}
	for r := range columns(backends) {
		p.Runs = append(p.Runs, sumUp(r))
	}
	var b bytes.Buffer
	err := pageTemplate.Execute(&b, p)
	return b.Bytes(), err
}

// columns goes through the reports of all backends.
func columns(backends []backend) iter.Seq[report] {
	return func(yield func(report) bool) {
		for _, b := range backends {
			for _, r := range b.Reports {
				if !yield(r) {
					return
				}
			}
		}
	}
}

func (p *page) cell(c cell) pageCell {
	shown := pageCell{cell: c}
	if c.Why != "" {
		shown.Note = p.Reasons.number(c.Why)
	}
	return shown
}

func sumUp(r report) pageRun {
	run := pageRun{report: r}
	for _, v := range r.Rules {
		switch outcome, _ := v.split(); outcome {
		case conformance.Pass:
			run.Passed++
		case conformance.Unsupported:
			run.Unsupported++
		case conformance.Waived:
			run.Waived++
		case conformance.Skipped:
			run.Skipped++
		default:
			run.Failed++
		}
	}
	return run
}

// Variants returns the column headings of a backend with variants: what each name
// adds to that of the backend.
func (b backend) Variants() []string {
	if len(b.Reports) == 1 {
		return nil
	}
	var headings []string
	for _, r := range b.Reports {
		headings = append(headings, cmp.Or(strings.TrimPrefix(strings.TrimPrefix(r.Backend, b.Name), "-"), "standard"))
	}
	return headings
}
