package main

import (
	"fmt"
	"strings"
	"time"
)

// markdown is the report as text.
func (r report) markdown(parts []part) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Benchmarks\n\nWritten by `%s` on %s; do not edit.\n%s\n", r.Command, r.Date.Format(time.DateOnly), r.setting())
	b.WriteString("Only ratios of one run mean anything; times are there to give an idea.\n")
	for _, group := range r.LeftOut {
		fmt.Fprintf(&b, "\n**Left out**: %s.\n", group)
	}
	for _, series := range r.Failed {
		fmt.Fprintf(&b, "\n**Failed**: %s.\n", series)
	}
	for _, p := range parts {
		fmt.Fprintf(&b, "\n## %s\n", p.Title)
		if p.Text != "" {
			fmt.Fprintf(&b, "\n%s\n", p.Text)
		}
		for _, f := range p.Figures {
			fmt.Fprintf(&b, "\n![%s](%s.svg)\n", f.Image.Title, f.Name)
		}
		for _, t := range p.Tables {
			fmt.Fprintf(&b, "\n%s", t.markdown())
		}
		for i, note := range p.Notes {
			if i == 0 {
				b.WriteString("\n")
			}
			fmt.Fprintf(&b, "- %s\n", note)
		}
	}
	fmt.Fprintf(&b, "\n## Versions\n\n%s.\n\n%s.\n", strings.Join(r.Servers, "; "), strings.Join(r.Modules, ", "))
	return b.String()
}

// setting is the machine and the rounds, in a sentence.
func (r report) setting() string {
	var facts []string
	for _, f := range r.Machine {
		facts = append(facts, f.Name+": "+f.Value)
	}
	return fmt.Sprintf("%s; %d rounds at most.", strings.Join(facts, ", "), r.Rounds)
}
