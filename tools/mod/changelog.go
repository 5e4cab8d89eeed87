package main

import "strings"

// section returns what a changelog says under the heading that begins with title,
// and whether there is such a heading: "## v0.1.0" or "## v0.1.0 - 2026-01-31".
func section(changelog, title string) (text string, ok bool) {
	var lines []string
	for line := range strings.Lines(changelog) {
		heading, is := strings.CutPrefix(line, "## ")
		switch {
		case is && ok:
			return strings.TrimSpace(strings.Join(lines, "")), true
		case is:
			first, _, _ := strings.Cut(strings.TrimSpace(heading), " ")
			ok = first == title
		case ok:
			lines = append(lines, line)
		}
	}
	return strings.TrimSpace(strings.Join(lines, "")), ok
}
