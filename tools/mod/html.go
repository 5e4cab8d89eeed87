package main

import (
	"bytes"
	"cmp"
	_ "embed"
	"html/template"
	"strings"

	"github.com/cachebackends/cachebackends/conformance"
)

//go:embed templates/support.html
var supportHTML string

var supportPage = template.Must(template.New("support").Funcs(template.FuncMap{
	"number": func(index int) int { return index + 1 },
}).Parse(supportHTML))

// page is what the template shows: one column per record.
type page struct {
	Suite    string
	Backends []backend
	Matrix   []pageRow
	Chapters []chapter
	Runs     []pageRun
	Reasons  notes
}

// pageRow is a row of cells; those of a rule say more about it.
type pageRow struct {
	Name  string
	Rule  conformance.Case
	Cells []pageCell
}

type pageCell struct {
	Kind string // the class that colours it
	Text string
	Note int // of the reason; 0 for none
	Why  string
}

// chapter is the rules whose IDs begin with the same letters.
type chapter struct {
	Name  string
	Rules []pageRow
}

// pageRun sums up one record.
type pageRun struct {
	record
	Kept, Exempt, Skipped int // rules
}

// chapters are named after the beginnings of the IDs of rules.
var chapters = map[string]string{
	"BAS": "Reading and writing", "TTL": "Life of an entry", "KEY": "Keys", "VAL": "Values", "BAT": "Batches",
	"ADD": "Add", "DEL": "Delete", "CLR": "Clear", "CNT": "Counters", "EVI": "Bounds and eviction", "CON": "Many callers at once",
	"CTX": "Contexts", "CLO": "Close", "PER": "Persistence", "CFG": "Settings and secrets", "ERR": "Errors", "NUL": "The cache that keeps nothing",
}

func renderHTML(backends []backend) ([]byte, error) {
	p := page{Suite: conformance.Version, Backends: backends}
	for _, row := range matrixRows {
		shown := pageRow{Name: strings.ReplaceAll(row.Name, "`", "")}
		for r := range records(backends) {
			shown.Cells = append(shown.Cells, p.cell(row.cell(r)))
		}
		p.Matrix = append(p.Matrix, shown)
	}
	for _, rule := range conformance.Cases() {
		prefix, _, _ := strings.Cut(rule.ID, "-")
		name := cmp.Or(chapters[prefix], prefix)
		if len(p.Chapters) == 0 || p.Chapters[len(p.Chapters)-1].Name != name {
			p.Chapters = append(p.Chapters, chapter{Name: name})
		}
		shown := pageRow{Rule: rule}
		for r := range records(backends) {
			shown.Cells = append(shown.Cells, p.cell(ruleCell(r.Rules[rule.ID])))
		}
		last := &p.Chapters[len(p.Chapters)-1]
		last.Rules = append(last.Rules, shown)
	}
	for r := range records(backends) {
		p.Runs = append(p.Runs, sumUp(r))
	}
	var b bytes.Buffer
	err := supportPage.Execute(&b, p)
	return b.Bytes(), err
}

// records goes through the columns.
func records(backends []backend) func(func(record) bool) {
	return func(yield func(record) bool) {
		for _, b := range backends {
			for _, r := range b.Records {
				if !yield(r) {
					return
				}
			}
		}
	}
}

func (p *page) cell(c cell) pageCell {
	shown := pageCell{Kind: c.Kind, Text: c.Text, Why: c.Why}
	if c.Why != "" {
		shown.Note = p.Reasons.number(c.Why)
	}
	return shown
}

// ruleCell is a sign rather than a word; a rule with no verdict is provisional,
// or not for this kind of backend.
func ruleCell(v verdict) cell {
	switch outcome, why := v.split(); outcome {
	case conformance.Pass:
		return cell{"yes", "✓", ""}
	case conformance.Unsupported:
		return cell{"no", "–", why}
	case conformance.Skipped:
		return cell{"untried", "?", why}
	}
	return cell{}
}

func sumUp(r record) pageRun {
	run := pageRun{record: r}
	for _, v := range r.Rules {
		switch outcome, _ := v.split(); outcome {
		case conformance.Pass:
			run.Kept++
		case conformance.Unsupported:
			run.Exempt++
		case conformance.Skipped:
			run.Skipped++
		}
	}
	return run
}

// Variants are the headings of the columns of b, what each name adds to that of
// the backend; none where there is one column.
func (b backend) Variants() []string {
	if len(b.Records) == 1 {
		return nil
	}
	var headings []string
	for _, r := range b.Records {
		headings = append(headings, cmp.Or(strings.TrimPrefix(strings.TrimPrefix(r.Backend, b.Name), "-"), "alone"))
	}
	return headings
}
