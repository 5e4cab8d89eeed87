package chart

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Lines are panels of lines over a logarithmic axis.
type Lines struct {
	Title, Subtitle  string
	Columns          int // of panels; 0 for 2
	FormatX, FormatY func(float64) string
	Panels           []LinePanel
}

// LinePanel is a set of lines that are compared.
type LinePanel struct {
	Title string
	Lines []Line
}

// Line is one quantity as it grows.
type Line struct {
	Label  string
	Kind   Kind
	Points []Point // by X
}

// Point is a value with the lowest and the highest sample.
type Point struct{ X, Y, Low, High float64 }

const plotHeight = 170.0

// Draw returns the image. Each panel has a scale of its own.
func (l Lines) Draw() Image {
	g := grid{l.Columns}
	if g.columns == 0 {
		g.columns = 2
	}
	var c canvas
	y := c.heading(l.Title, l.Subtitle)
	for i, p := range l.Panels {
		row := float64(i / g.columns)
		l.panel(&c, p, g.x(i), y+row*(plotHeight+66), g.panelWidth())
	}
	rows := (len(l.Panels) + g.columns - 1) / g.columns
	return Image{l.Title, y + float64(rows)*(plotHeight+66), c.String()}
}

func (l Lines) panel(c *canvas, p LinePanel, x, y, w float64) {
	c.text("panel", x, y+10, p.Title)
	labelW, lowX, highX, lowY, highY := 0.0, math.Inf(1), 0.0, math.Inf(1), 0.0
	for _, line := range p.Lines {
		labelW = max(labelW, textWidth(line.Label, line.Kind == Ours))
		for _, point := range line.Points {
			lowX, highX = min(lowX, point.X), max(highX, point.X)
			lowY, highY = min(lowY, point.Y), max(highY, point.Y)
		}
	}
	const axisW = 46
	left, bottom := x+axisW, y+24+plotHeight
	sx := scale{lowX, highX, true, w - axisW - labelW - 14}
	if highX <= lowX {
		sx.high = 2 * lowX
	}
	sy := newScale(lowY/1.2, highY*1.05, plotHeight)
	for _, tick := range sy.ticks(6) {
		c.line("grid", left, bottom-sy.at(tick), left+sx.length, bottom-sy.at(tick))
		c.text("tick end", left-6, bottom-sy.at(tick)+4, l.FormatY(tick))
	}
	for _, tick := range apart(xs(p.Lines), sx) {
		c.line("axis", left+sx.at(tick), bottom, left+sx.at(tick), bottom+tickLen)
		c.text("tick mid", left+sx.at(tick), bottom+16, l.FormatX(tick))
	}
	c.line("axis", left, bottom, left+sx.length, bottom)
	for _, line := range p.Lines {
		var path, high, low []string
		for _, point := range line.Points {
			at := func(v float64) string {
				return fmt.Sprintf("%.1f,%.1f", left+sx.at(point.X), bottom-sy.at(min(v, sy.high)))
			}
			path, high, low = append(path, at(point.Y)), append(high, at(point.High)), append(low, at(point.Low))
		}
		slices.Reverse(low)
		fmt.Fprintf(c, "<polygon class=\"band %s\" points=\"%s\"/>\n", line.Kind, strings.Join(append(high, low...), " "))
		fmt.Fprintf(c, "<polyline class=\"line s-%s\" points=\"%s\"/>\n", line.Kind, strings.Join(path, " "))
		for _, point := range line.Points {
			c.dot(string(line.Kind), left+sx.at(point.X), bottom-sy.at(point.Y), fmt.Sprintf("%s, %s: %s", line.Label, l.FormatX(point.X), l.FormatY(point.Y)))
		}
	}
	for i, at := range labelPlaces(p.Lines, func(v float64) float64 { return bottom - sy.at(v) }) {
		line := p.Lines[i]
		class := string(line.Kind)
		if line.Kind == Ours {
			class += " strong"
		}
		c.text(class, left+sx.at(line.Points[len(line.Points)-1].X)+8, at+4, line.Label)
	}
}

// xs returns every X of the lines once, in order.
func xs(lines []Line) []float64 {
	var all []float64
	for _, line := range lines {
		for _, point := range line.Points {
			all = append(all, point.X)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// apart leaves out what would stand too close to the tick before it.
func apart(ticks []float64, s scale) []float64 {
	const letters = 44
	var kept []float64
	for _, tick := range ticks {
		if len(kept) == 0 || s.at(tick)-s.at(kept[len(kept)-1]) >= letters {
			kept = append(kept, tick)
		}
	}
	return kept
}

// labelPlaces returns the heights of the names at the ends of the lines, moved
// apart where they would overlap.
func labelPlaces(lines []Line, height func(float64) float64) []float64 {
	const apart = 13
	places, order := make([]float64, len(lines)), make([]int, len(lines))
	for i, line := range lines {
		places[i], order[i] = height(line.Points[len(line.Points)-1].Y), i
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(math.Copysign(1, places[a]-places[b])) })
	for range 50 {
		for i := 1; i < len(order); i++ {
			upper, lower := order[i-1], order[i]
			if overlap := apart - (places[lower] - places[upper]); overlap > 0.1 {
				places[upper] -= overlap / 2
				places[lower] += overlap / 2
			}
		}
	}
	return places
}
