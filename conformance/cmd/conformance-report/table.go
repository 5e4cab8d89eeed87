package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cachebackends/cachebackends/conformance"
)

// row is one line of the table.
type row struct {
	Name    string
	Feature conformance.Feature // empty for a limit or trait
	cell    func(report) cell
}

// cell is what one report says in one row.
type cell struct {
	Kind string // "yes", "no", "untested", "failed", "limit", or empty if there is nothing to say
	Text string
	Why  string
}

// featureNames are the names of features in the table. A feature that is not
// here has a row with its own name.
var featureNames = map[conformance.Feature]string{
	conformance.Storage:     "storage",
	conformance.Persistence: "persistence after the process exits",
	conformance.TTL:         "remaining TTL",
	conformance.Counter:     "counters (`Inc`, `Dec`)",
	conformance.Lease:       "leases (one load over all processes)",
	conformance.Swap:        "`CompareAndSwap`",
	conformance.GetWithTTL:  "value with its remaining TTL",
	conformance.Watch:       "notices of changes",
	conformance.Stats:       "`Stats`",
	conformance.Scan:        "list of the entries (`Scan`)",
	conformance.PrefixClear: "`Clear` of one prefix",
	conformance.FullClear:   "`Clear` of the whole store",
	conformance.Threshold:   "bound on the number of entries",
	conformance.Network:     "tests with network faults",
}

// traitNames are the names of traits in the table, as for features.
var traitNames = map[conformance.Trait]string{
	conformance.ReadsBeforeDelete: "extra read before a batch of deletes",
	conformance.ServerStartsTTL:   "TTL counted from the arrival at the server",
	conformance.OneTTL:            "one TTL for all entries, or none",
	conformance.LateEviction:      "eviction after the write, or no admission",
	conformance.OneHandle:         "one open handle at a time",
}

// rows returns the features in the order of the reports, then limits, then traits.
func rows(backends []backend) []row {
	var list []row
	for r := range columns(backends) {
		for _, s := range r.Features {
			if !slices.ContainsFunc(list, func(r row) bool { return r.Feature == s.Feature }) {
				list = append(list, featureRow(s.Feature))
			}
		}
	}
	list = append(list,
		limitRow("maximum key length in bytes (any: tested to 20 KiB)", func(l conformance.Limits) string { return most(l.MaxKey) }),
		limitRow("maximum value size in bytes (any: tested to 16 MiB)", func(l conformance.Limits) string { return most(l.MaxValue) }),
		row{"other rejected keys", "", rejectedKeys},
		limitRow("maximum staleness after expiry", func(l conformance.Limits) string { return l.Resolution.String() }),
		row{"minimum counter value", "", minimumCounter},
	)
	traits := map[conformance.Trait]bool{}
	for r := range columns(backends) {
		for trait := range r.Traits {
			traits[trait] = true
		}
	}
	for _, trait := range slices.Sorted(maps.Keys(traits)) {
		list = append(list, traitRow(trait))
	}
	return list
}

func traitRow(trait conformance.Trait) row {
	return row{cmp.Or(traitNames[trait], string(trait)), "", func(r report) cell {
		reason, declared := r.Traits[trait]
		if !declared {
			return cell{"limit", "no", ""}
		}
		return cell{"limit", "yes", reason}
	}}
}

func featureRow(f conformance.Feature) row {
	return row{cmp.Or(featureNames[f], string(f)), f, func(r report) cell {
		c := verdictCell(r.feature(f))
		switch c.Kind {
		case "yes", "no":
			c.Text = c.Kind
		case "untested":
			c.Text = "not tested"
		}
		return c
	}}
}

// verdictCell shows a verdict as a sign. A rule without a verdict is provisional
// or does not concern this kind of backend.
func verdictCell(v verdict) cell {
	switch outcome, why := v.split(); outcome {
	case conformance.Pass:
		return cell{"yes", "✓", ""}
	case conformance.Unsupported:
		return cell{"no", "–", why}
	case conformance.Waived:
		return cell{"waived", "✗", why}
	case conformance.Skipped:
		return cell{"untested", "?", why}
	case "":
		return cell{}
	default:
		return cell{"failed", "✗", why}
	}
}

// limitRow is empty for a backend that stores nothing.
func limitRow(name string, limit func(conformance.Limits) string) row {
	return row{name, "", func(r report) cell {
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
	digits := fmt.Sprint(limit)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "\u202f" + digits[i:] // a narrow space that does not break
	}
	return digits
}

func rejectedKeys(r report) cell {
	switch {
	case !r.has(conformance.Storage):
		return cell{}
	case len(r.Limits.RefusedKeys) == 0:
		return cell{"limit", "none", ""}
	}
	return cell{"limit", "some", "such as " + strings.Join(r.Limits.RefusedKeys, ", ")}
}

func minimumCounter(r report) cell {
	switch {
	case !r.has(conformance.Storage) || !r.has(conformance.Counter):
		return cell{}
	case r.Limits.CounterMin == nil:
		return cell{"limit", "-2^63", ""}
	}
	return cell{"limit", fmt.Sprint(*r.Limits.CounterMin), ""}
}

// notes are the reasons below a table, numbered from 1 in the order in which the
// cells refer to them.
type notes []string

func (n *notes) number(text string) int {
	if i := slices.Index(*n, text); i >= 0 {
		return i + 1
	}
	*n = append(*n, text)
	return len(*n)
}

const (
	matrixBegin = "<!-- matrix -->\n"
	matrixEnd   = "<!-- /matrix -->\n"
)

// insertTable returns the README of this name with the table between its marks.
func (c *command) insertTable(name string, readme []byte, backends []backend) ([]byte, error) {
	before, rest, begins := bytes.Cut(readme, []byte(matrixBegin))
	_, after, ends := bytes.Cut(rest, []byte(matrixEnd))
	if !begins || !ends {
		return nil, errors.New("no lines <!-- matrix --> and <!-- /matrix -->")
	}
	dir := filepath.Dir(name)
	table := renderTable(backends, func(backend string) string {
		for _, link := range []string{backend, "../" + backend} {
			if info, err := os.Stat(filepath.Join(dir, link)); err == nil && info.IsDir() {
				return link
			}
		}
		return ""
	})
	if c.page != "" {
		page, err := filepath.Rel(dir, c.page)
		if err != nil {
			return nil, err
		}
		table = fmt.Appendf(table, "\nResults of the conformance suite. All rules and reasons: [%[1]s](%[1]s).\n", filepath.ToSlash(page))
	}
	return slices.Concat(before, []byte(matrixBegin), table, []byte(matrixEnd), after), nil
}

var (
	superscript = strings.NewReplacer("0", "⁰", "1", "¹", "2", "²", "3", "³", "4", "⁴", "5", "⁵", "6", "⁶", "7", "⁷", "8", "⁸", "9", "⁹")

	// escape keeps characters of a reason from being read as Markdown.
	escape = strings.NewReplacer("\\", "\\\\", "`", "\\`", "*", "\\*", "<", "\\<", "[", "\\[", "|", "\\|")
)

// renderTable returns the table in Markdown: a column for each backend, linked to
// its directory if there is one, and notes on variants that differ from it. How
// a backend was tested and what was not tested is left to the page.
func renderTable(backends []backend, directory func(backend string) string) []byte {
	var b bytes.Buffer
	var reasons notes
	b.WriteString("| |")
	for _, backend := range backends {
		if link := directory(backend.Name); link != "" {
			fmt.Fprintf(&b, " [%s](%s) |", backend.Name, link)
		} else {
			fmt.Fprintf(&b, " %s |", escape.Replace(backend.Name))
		}
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(backends)) + "\n")
	for _, row := range rows(backends) {
		if row.Feature == conformance.Network {
			continue
		}
		b.WriteString("| " + row.Name + " |")
		for _, backend := range backends {
			b.WriteString(" " + backend.markdown(row, &reasons) + " |")
		}
		b.WriteString("\n")
	}
	if servers := testedWith(backends); servers != "" {
		b.WriteString("| tested with |" + servers + "\n")
	}
	for i, reason := range reasons {
		fmt.Fprintf(&b, "\n%d. %s", i+1, reason)
	}
	if len(reasons) > 0 {
		b.WriteString("\n")
	}
	return b.Bytes()
}

// testedWith returns the cells of a row with the servers and versions that the reports of
// each backend name, "" if none does.
func testedWith(backends []backend) (row string) {
	found := false
	for _, backend := range backends {
		var servers []string
		for _, r := range backend.Reports {
			server := strings.TrimSpace(r.Server + " " + r.ServerVersion)
			if server != "" && !slices.Contains(servers, server) {
				servers = append(servers, server)
			}
		}
		row += " " + escape.Replace(strings.Join(servers, ", ")) + " |"
		found = found || len(servers) > 0
	}
	if !found {
		return ""
	}
	return row
}

// markdown returns the text of a cell, with the numbers of its notes.
func (b backend) markdown(row row, reasons *notes) string {
	base := row.cell(b.Reports[0])
	var marks []string
	mark := func(text string) { marks = append(marks, superscript.Replace(fmt.Sprint(reasons.number(text)))) }
	if base.Why != "" {
		mark(escape.Replace(base.Why))
	}
	others := map[cell][]string{}
	for _, variant := range b.Reports[1:] {
		if c := row.cell(variant); c != base && c.Kind != "untested" {
			others[c] = append(others[c], variant.Backend)
		}
	}
	for _, c := range slices.SortedFunc(maps.Keys(others), func(x, y cell) int { return strings.Compare(others[x][0], others[y][0]) }) {
		text := strings.Join(others[c], ", ") + ": " + c.Text
		if c.Why != "" {
			text += "; " + escape.Replace(c.Why)
		}
		mark(text)
	}
	return base.Text + strings.Join(marks, " ")
}
