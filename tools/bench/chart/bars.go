package chart

import (
	"math"
	"slices"
)

// Bars are panels of horizontal bars with one scale.
type Bars struct {
	Title, Subtitle string
	Columns         int     // of panels; 0 for 3
	Mark            float64 // where a line across is drawn; 0 for none
	Format          func(float64) string
	Panels          []BarPanel
}

// BarPanel is one group of bars.
type BarPanel struct {
	Title string
	Bars  []Bar
}

// Bar is a value with the lowest and the highest sample.
type Bar struct {
	Label            string
	Kind             Kind
	Value, Low, High float64
}

const (
	barHeight = 12.0
	barPitch  = 18.0
)

// Draw returns the image.
func (b Bars) Draw() Image {
	g := grid{b.Columns}
	if g.columns == 0 {
		g.columns = 3
	}
	labelW, valueW, low, high := 0.0, 0.0, math.Inf(1), b.Mark
	for _, p := range b.Panels {
		for _, bar := range p.Bars {
			labelW = max(labelW, textWidth(bar.Label, bar.Kind == Ours))
			valueW = max(valueW, textWidth(b.Format(bar.Value), false)+10)
			low, high = min(low, bar.Value), max(high, bar.Value, bar.High)
		}
	}
	s := newScale(low, high, g.panelWidth()-labelW-8-valueW)
	if s.log {
		s.low = min(low, b.Mark) / 1.5 // the shortest bar has a length too
	} else {
		s.high = high
	}
	var c canvas
	y := c.heading(b.Title, b.Subtitle+b.note(s))
	c.legend(b.kinds())
	for first := 0; first < len(b.Panels); first += g.columns {
		row := b.Panels[first:min(first+g.columns, len(b.Panels))]
		most := 0
		for i, p := range row {
			most = max(most, len(p.Bars))
			b.panel(&c, p, s, g.x(i), y, labelW, g.panelWidth())
		}
		y += 52 + barPitch*float64(most)
	}
	return Image{b.Title, y + 4, c.String()}
}

// kinds returns those of the bars that need to be told from each other.
func (b Bars) kinds() []Kind {
	var kinds []Kind
	for _, kind := range []Kind{Ours, Peer, Limit} {
		if slices.ContainsFunc(b.Panels, func(p BarPanel) bool {
			return slices.ContainsFunc(p.Bars, func(bar Bar) bool { return bar.Kind == kind })
		}) {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

func (b Bars) note(s scale) string {
	if s.log {
		return " The scale is logarithmic."
	}
	return ""
}

func (b Bars) panel(c *canvas, p BarPanel, s scale, x, y, labelW, w float64) {
	c.text("panel", x, y+10, p.Title)
	zero, top, bottom := x+labelW+8, y+20, y+22+barPitch*float64(len(p.Bars))
	for _, tick := range s.ticks(int(s.length / 34)) {
		c.line("grid", zero+s.at(tick), top, zero+s.at(tick), bottom)
		c.text("tick mid", zero+s.at(tick), bottom+12, b.Format(tick))
	}
	for i, bar := range p.Bars {
		at := top + 3 + barPitch*float64(i)
		label := "end"
		if bar.Kind == Ours {
			label = "end strong"
		}
		c.text(label, zero-8, at+10, bar.Label)
		c.rect(string(bar.Kind), zero, at, max(s.at(bar.Value), 1), barHeight, bar.Label+" "+b.Format(bar.Value))
		if bar.High > bar.Low {
			c.line("whisker", zero+s.at(bar.Low), at+barHeight/2, zero+s.at(bar.High), at+barHeight/2)
		}
		c.text("note end", x+w, at+10, b.Format(bar.Value))
	}
	c.line("axis", zero, top, zero, bottom)
	if b.Mark > 0 {
		c.line("mark", zero+s.at(b.Mark), top, zero+s.at(b.Mark), bottom)
	}
}
