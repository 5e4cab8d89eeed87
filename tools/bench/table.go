package main

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// table is rows of text, the first being the head.
type table [][]string

// markdown writes the table so that it is readable as it is.
func (t table) markdown() string {
	widths := make([]int, len(t[0]))
	for _, row := range t {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	rule := make([]string, len(widths))
	for i, width := range widths {
		rule[i] = strings.Repeat("-", width)
	}
	var b strings.Builder
	for _, row := range slices.Insert(slices.Clone(t), 1, rule) {
		b.WriteString("|")
		for i, cell := range row {
			fmt.Fprintf(&b, " %-*s |", widths[i], cell)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// upright makes the more numerous of rows and columns the rows.
func (t table) upright() table {
	if len(t) >= len(t[0]) {
		return t
	}
	columns := make(table, len(t[0]))
	for _, row := range t {
		for i, cell := range row {
			columns[i] = append(columns[i], cell)
		}
	}
	columns[0][0] = ""
	return columns
}

func goalTable(goals []goal) table {
	t := table{{"goal", "limit", "reached", ""}}
	for _, g := range goals {
		t = append(t, row(g))
	}
	return t
}

func row(g goal) []string {
	mark := "met"
	if !g.Met {
		mark = "**missed**"
	}
	return []string{g.Text, fmt.Sprintf("%.2f", g.Limit), fmt.Sprintf("%.2f", g.Value), mark}
}

// lacksTable is also in the README, where a test compares it.
func lacksTable() table {
	t := table{{"peer", "lacks"}}
	seen := map[string]bool{}
	add := func(name, lacks string) {
		if !seen[name] {
			seen[name] = true
			t = append(t, []string{name, lacks})
		}
	}
	for _, p := range slices.Concat(peers(), copiers()) {
		add(p.name, p.lacks)
	}
	for _, p := range filePeers() {
		add(p.name, p.lacks)
	}
	for _, p := range slices.Concat(redisPeers(), memcachedPeers(), uwsgiPeers(), gcsPeers()) {
		add(p.name, p.lacks)
	}
	for _, p := range viewPeers() {
		add(p.name, p.lacks)
	}
	add("cachebackends", "nothing: our backend through the methods of Cache")
	add("flask-caching", "nothing: its backend of the same name, as it comes; values are pickled")
	return t
}
