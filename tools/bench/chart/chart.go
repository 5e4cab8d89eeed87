// Package chart draws measurements as SVG: panels of horizontal bars, and panels
// of lines over a logarithmic axis. The images are readable on light and dark
// pages, need no script and refer to nothing outside.
package chart

import (
	"fmt"
	"html"
	"slices"
	"strings"
	"unicode/utf8"
)

// Kind is what a bar or a line stands for, which is its colour.
type Kind string

// The kinds. Lines may also have one of [Others].
const (
	Ours  Kind = "ours"
	Peer  Kind = "peer"
	Limit Kind = "limit" // no cache: what the machine itself takes
)

// Others returns the colour of the i-th line that is to be told from its neighbours.
func Others(i int) Kind { return Kind(fmt.Sprint("c", i%5)) }

// Lengths in pixels of an image of width 960; text is of 11 where nothing else is said.
const (
	width   = 960.0
	margin  = 24.0
	gap     = 28.0 // between panels
	tickLen = 4.0

	lineLetters = 145 // of a subtitle
)

// Style is the style sheet of all images, for a page that has them inline.
const Style = `.chart text{font:11px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;fill:#1f2328}
.chart .title{font-size:17px;font-weight:600}
.chart .sub,.chart .tick,.chart .note{fill:#59636e}
.chart .panel{font-size:12px;font-weight:600}
.chart .strong{font-weight:600}
.chart .end{text-anchor:end}
.chart .mid{text-anchor:middle}
.chart .back{fill:#fff}
.chart .grid{stroke:#e3e7eb}
.chart .axis{stroke:#b4bcc6}
.chart .mark{stroke:#1f2328;stroke-dasharray:3 3}
.chart .whisker{stroke:#1f2328;opacity:.55}
.chart .line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
.chart .band{opacity:.14;stroke:none}
.chart .ours{fill:#1f6feb}.chart .peer{fill:#b9c1cb}.chart .limit{fill:#7d8793}
.chart .c0{fill:#d4680b}.chart .c1{fill:#1a7f4b}.chart .c2{fill:#8250df}.chart .c3{fill:#bf3989}.chart .c4{fill:#0a7f8f}
.chart .s-ours{stroke:#1f6feb}.chart .s-peer{stroke:#a3acb8}.chart .s-limit{stroke:#7d8793;stroke-dasharray:5 4}
.chart .s-c0{stroke:#d4680b}.chart .s-c1{stroke:#1a7f4b}.chart .s-c2{stroke:#8250df}.chart .s-c3{stroke:#bf3989}.chart .s-c4{stroke:#0a7f8f}
@media (prefers-color-scheme:dark){
.chart text{fill:#e6edf3}
.chart .sub,.chart .tick,.chart .note{fill:#9aa4af}
.chart .back{fill:#0d1117}
.chart .grid{stroke:#242b33}
.chart .axis{stroke:#4a535e}
.chart .mark{stroke:#e6edf3}
.chart .whisker{stroke:#e6edf3}
.chart .ours{fill:#4c9aff}.chart .peer{fill:#454e59}.chart .limit{fill:#76818e}
.chart .c0{fill:#f0883e}.chart .c1{fill:#3fb970}.chart .c2{fill:#a98bf5}.chart .c3{fill:#f07bb8}.chart .c4{fill:#39c1d1}
.chart .s-ours{stroke:#4c9aff}.chart .s-peer{stroke:#616b77}.chart .s-limit{stroke:#8a95a1}
.chart .s-c0{stroke:#f0883e}.chart .s-c1{stroke:#3fb970}.chart .s-c2{stroke:#a98bf5}.chart .s-c3{stroke:#f07bb8}.chart .s-c4{stroke:#39c1d1}
}`

// Image is a finished drawing.
type Image struct {
	Title  string
	height float64
	body   string
}

// Inline is the image as a part of a page that has [Style].
func (i Image) Inline() string { return i.svg("") }

// File is the image on its own.
func (i Image) File() string {
	return `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + i.svg("<style>\n"+Style+"\n</style>\n") + "\n"
}

func (i Image) svg(style string) string {
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" role="img" aria-label="%s">`,
		width, i.height, width, i.height, html.EscapeString(i.Title)) +
		"\n" + style + fmt.Sprintf(`<rect class="back" width="%.0f" height="%.0f" rx="8"/>`, width, i.height) + "\n" + i.body + "</svg>"
}

// canvas collects what is drawn.
type canvas struct{ strings.Builder }

func (c *canvas) text(class string, x, y float64, text string) {
	fmt.Fprintf(c, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", class, x, y, html.EscapeString(text))
}

func (c *canvas) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(c, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", class, x1, y1, x2, y2)
}

func (c *canvas) rect(class string, x, y, w, h float64, hint string) {
	fmt.Fprintf(c, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"2\"><title>%s</title></rect>\n", class, x, y, w, h, html.EscapeString(hint))
}

func (c *canvas) dot(class string, x, y float64, hint string) {
	fmt.Fprintf(c, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"><title>%s</title></circle>\n", class, x, y, html.EscapeString(hint))
}

// textWidth is about how long a text of a line is.
func textWidth(text string, strong bool) float64 {
	letter := 6.3
	if strong {
		letter = 7.3
	}
	return letter * float64(utf8.RuneCountInString(text))
}

// legend says what the colours mean, in the upper right corner.
func (c *canvas) legend(kinds []Kind) {
	names := map[Kind]string{Ours: "ours", Peer: "peer", Limit: "no cache, the limit"}
	x := width - margin
	for _, kind := range slices.Backward(kinds) {
		x -= textWidth(names[kind], false)
		c.text("sub", x, margin+9, names[kind])
		x -= 15
		c.rect(string(kind), x, margin, 10, 10, names[kind])
		x -= 16
	}
}

// heading draws what stands above the panels, and returns where they begin.
func (c *canvas) heading(title, subtitle string) (y float64) {
	c.text("title", margin, margin+10, title)
	y = margin + 28
	for _, line := range wrap(subtitle, lineLetters) {
		c.text("sub", margin, y, line)
		y += 15
	}
	return y + 8
}

// wrap breaks text into lines of at most so many letters.
func wrap(text string, letters int) []string {
	var lines []string
	for _, word := range strings.Fields(text) {
		last := len(lines) - 1
		if last >= 0 && len(lines[last])+1+len(word) <= letters {
			lines[last] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}

// grid is where the panels of an image are: rows of as many columns.
type grid struct{ columns int }

func (g grid) panelWidth() float64 {
	return (width - 2*margin - float64(g.columns-1)*gap) / float64(g.columns)
}

func (g grid) x(i int) float64 { return margin + float64(i%g.columns)*(g.panelWidth()+gap) }
