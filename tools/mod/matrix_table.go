package main

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cachebackends/cachebackends/conformance"
)

// backend is a module and its records: the first is what it is called by, the
// others are its variants, such as redis-cluster.
type backend struct {
	Name    string
	Records []record
}

// backendsOf groups records by module, in the order of go.work.
func (w *workspace) backendsOf(records map[string]record) []backend {
	var list []backend
	for _, m := range w.Modules {
		b := backend{Name: m.Dir}
		for _, name := range slices.Sorted(maps.Keys(records)) { // "redis" comes before "redis-tls"
			if m.Backend() && w.moduleOf(name) == m.Dir {
				b.Records = append(b.Records, records[name])
			}
		}
		if len(b.Records) > 0 {
			list = append(list, b)
		}
	}
	return list
}

// row is one line of the matrix.
type row struct {
	Name    string
	Feature conformance.Feature // "" for a limit
	cell    func(record) cell
}

// cell is what one record says in one row.
type cell struct {
	Kind string // "yes", "no", "untried", "limit", or "" for nothing to say
	Text string
	Why  string
}

// matrixRows are the features, then the limits.
var matrixRows = []row{
	featureRow(conformance.Storage, "keeps what is set"),
	featureRow(conformance.Persistence, "outlives the process"),
	featureRow(conformance.TTL, "tells the time that an entry has left"),
	featureRow(conformance.Counter, "counters (`Inc`, `Dec`)"),
	featureRow(conformance.PrefixClear, "`Clear` of one prefix"),
	featureRow(conformance.FullClear, "`Clear` of the whole store"),
	featureRow(conformance.Threshold, "can be bounded in entries"),
	featureRow(conformance.Network, "tested over a network that fails"),
	limitRow("longest key in bytes (any: tested to 20 KiB)", func(l conformance.Limits) string { return most(l.MaxKey) }),
	limitRow("largest value in bytes (any: tested to 16 MiB)", func(l conformance.Limits) string { return most(l.MaxValue) }),
	{"other keys that it refuses", "", refusedKeys},
	limitRow("time that an entry may be read after its end", func(l conformance.Limits) string { return l.Resolution.String() }),
	{"lowest counter", "", lowestCounter},
}

func (r record) has(f conformance.Feature) bool { return r.Features[f] == verdict(conformance.Pass) }

func featureRow(f conformance.Feature, name string) row {
	return row{name, f, func(r record) cell {
		switch outcome, why := r.Features[f].split(); outcome {
		case conformance.Pass:
			return cell{"yes", "yes", ""}
		case conformance.Unsupported:
			return cell{"no", "no", why}
		case conformance.Skipped:
			return cell{"untried", "not tried", why}
		}
		return cell{}
	}}
}

// limitRow has nothing to say of a backend that keeps nothing.
func limitRow(name string, limit func(conformance.Limits) string) row {
	return row{name, "", func(r record) cell {
		if !r.has(conformance.Storage) {
			return cell{}
		}
		return cell{"limit", limit(r.Limits), ""}
	}}
}

func most(limit int) string {
	if limit == 0 {
		return "any"
	}
	return thousands(limit)
}

// thousands writes n with a space before every third digit.
func thousands(n int) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "\u202f" + digits[i:]
	}
	return digits
}

func refusedKeys(r record) cell {
	switch {
	case !r.has(conformance.Storage):
		return cell{}
	case len(r.Limits.RefusedKeys) == 0:
		return cell{"limit", "none", ""}
	}
	return cell{"limit", "some", "such as " + strings.Join(r.Limits.RefusedKeys, ", ")}
}

func lowestCounter(r record) cell {
	switch {
	case !r.has(conformance.Storage) || !r.has(conformance.Counter):
		return cell{}
	case r.Limits.CounterMin == nil:
		return cell{"limit", "-2^63", ""}
	}
	return cell{"limit", fmt.Sprint(*r.Limits.CounterMin), ""}
}

// notes are the reasons below a table, numbered from 1 in the order in which the
// cells name them.
type notes []string

func (n *notes) number(text string) int {
	if i := slices.Index(*n, text); i >= 0 {
		return i + 1
	}
	*n = append(*n, text)
	return len(*n)
}

var superscript = strings.NewReplacer("0", "⁰", "1", "¹", "2", "²", "3", "³", "4", "⁴", "5", "⁵", "6", "⁶", "7", "⁷", "8", "⁸", "9", "⁹")

// inMarkdown keeps a reason from being taken for a layout.
var inMarkdown = strings.NewReplacer("\\", "\\\\", "`", "\\`", "*", "\\*", "<", "\\<", "[", "\\[", "|", "\\|")

// renderMarkdown returns the matrix for the README: a column per backend, and
// where its variants differ from it a note that says how. How a backend was tested,
// and what was not tried of a variant, is for the page.
func renderMarkdown(backends []backend) []byte {
	var b bytes.Buffer
	var reasons notes
	b.WriteString("| |")
	for _, backend := range backends {
		fmt.Fprintf(&b, " [%[1]s](%[1]s) |", backend.Name)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(backends)) + "\n")
	for _, row := range matrixRows {
		if row.Feature == conformance.Network {
			continue
		}
		b.WriteString("| " + row.Name + " |")
		for _, backend := range backends {
			b.WriteString(" " + backend.markdown(row, &reasons) + " |")
		}
		b.WriteString("\n")
	}
	for i, reason := range reasons {
		fmt.Fprintf(&b, "\n%d. %s", i+1, reason)
	}
	fmt.Fprintf(&b, "\n\nWhat the suite found; every rule, backend and reason: [%[1]s](%[1]s).\n", matrixHTML)
	return b.Bytes()
}

func (b backend) markdown(row row, reasons *notes) string {
	base := row.cell(b.Records[0])
	var marks []string
	mark := func(text string) { marks = append(marks, fmt.Sprint(reasons.number(text))) }
	if base.Why != "" {
		mark(inMarkdown.Replace(base.Why))
	}
	others := map[cell][]string{}
	for _, variant := range b.Records[1:] {
		if c := row.cell(variant); c != base && c.Kind != "untried" {
			others[c] = append(others[c], variant.Backend)
		}
	}
	for _, c := range slices.SortedFunc(maps.Keys(others), func(x, y cell) int { return strings.Compare(others[x][0], others[y][0]) }) {
		text := strings.Join(others[c], ", ") + ": " + c.Text
		if c.Why != "" {
			text += "; " + inMarkdown.Replace(c.Why)
		}
		mark(text)
	}
	return base.Text + superscript.Replace(strings.Join(marks, " "))
}
