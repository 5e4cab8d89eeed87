package report

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	xfont "golang.org/x/image/font"
	"golang.org/x/perf/benchmath"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
)

// line is a row of the picture, or the heading of a part.
type line struct {
	label, peer string
	speed       benchmath.Summary // relative to the peer's
	heading     bool
}

// lines are the rows that there are results for, below the headings of their parts.
func lines(sections []Section, cases []*measure.Case) []line {
	var parts []string
	byPart := map[string][]line{}
	for _, s := range sections {
		for _, r := range s.Rows {
			l, ok := r.line(cases)
			if !ok {
				continue
			}
			if byPart[r.Part] == nil {
				parts = append(parts, r.Part)
			}
			byPart[r.Part] = append(byPart[r.Part], l)
		}
	}
	var all []line
	for _, part := range parts {
		all = append(all, line{label: part, heading: true})
		all = append(all, byPart[part]...)
	}
	return all
}

// line compares on as many processors as there are.
func (r Row) line(cases []*measure.Case) (line, bool) {
	var found *measure.Case
	for _, c := range cases {
		if is, _ := path.Match(r.Series, c.Series); is && c.Peer(r.Ours) != nil && (found == nil || found.Series == c.Series && c.Procs > found.Procs) {
			found = c
		}
	}
	if found == nil {
		return line{}, false
	}
	others := &measure.Case{Peers: slices.DeleteFunc(slices.Clone(found.Peers), func(p *measure.Peer) bool { return p.Name == r.Ours })}
	fastest := others.Best(measure.Time, strings.Split(r.Peers, ",")...)
	if fastest == nil {
		return line{}, false
	}
	return line{label: r.Label, peer: fastest.Name, speed: fastest.Ratio(found.Peer(r.Ours), measure.Time)}, true
}

// Sizes of the picture.
const (
	width       = 640
	lineHeight  = 15
	margin      = 10
	labelWidth  = 155
	valueWidth  = 155
	titleHeight = 64
	axisHeight  = 30
)

var (
	black  = color.Gray{0x24}
	grey   = color.Gray{0x70}
	light  = color.Gray{0xdd}
	faster = color.NRGBA{0x09, 0x69, 0xda, 0xff}
	slower = color.NRGBA{0xbc, 0x4c, 0x00, 0xff}
)

// overview is the picture: a dot and an interval for each row, on a logarithmic axis.
func overview(sections []Section, cases []*measure.Case) ([]byte, error) {
	all := lines(sections, cases)
	height := vg.Length(titleHeight + axisHeight + lineHeight*len(all))
	canvas := vgsvg.New(width, height)
	page := draw.New(canvas)
	page.FillPolygon(color.White, []vg.Point{page.Min, {X: page.Max.X, Y: page.Min.Y}, page.Max, {X: page.Min.X, Y: page.Max.Y}})
	page.FillText(style(13, black, xfont.WeightBold), vg.Point{X: margin, Y: height - 20}, "Speed relative to the fastest peer")
	page.FillText(style(9, grey, xfont.WeightNormal), vg.Point{X: margin, Y: height - 35},
		"Median over the rounds and its 95 % interval, or the range of fewer than six rounds. The peer stands on the right.")

	p := plot.New()
	p.HideY()
	p.BackgroundColor = color.Transparent
	p.X.Scale, p.X.Padding = plot.LogScale{}, 0
	p.X.Min, p.X.Max = limits(all)
	p.Y.Min, p.Y.Max = 0, 1
	p.X.Tick.Marker = ticks(p.X.Min, p.X.Max)
	p.X.Tick.Label = style(9, grey, xfont.WeightNormal)
	p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = text.XCenter, text.YTop
	p.X.Tick.Length, p.X.LineStyle.Width = 0, 0
	p.Add(rows(all))
	p.Draw(draw.Crop(page, labelWidth, -valueWidth, 8, -titleHeight))

	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return nil, err
	}
	// Fonts of the same metrics, for systems that do not have the first.
	return bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;")), nil
}

func style(size vg.Length, c color.Color, weight xfont.Weight) text.Style {
	return text.Style{Color: c, Font: font.Font{Typeface: "Liberation", Variant: "Sans", Size: size, Weight: weight}, Handler: plot.DefaultTextHandler}
}

// limits are those of the axis: half and twice as fast at least.
func limits(all []line) (low, high float64) {
	low, high = 0.5, 2
	for _, l := range all {
		if !l.heading {
			low, high = min(low, l.speed.Lo), max(high, l.speed.Hi)
		}
	}
	return low / 1.1, high * 1.1
}

func ticks(low, high float64) plot.ConstantTicks {
	var all plot.ConstantTicks
	for exponent := math.Floor(math.Log10(low)); exponent <= math.Log10(high); exponent++ {
		for _, digit := range []float64{1, 2, 5} {
			if value := digit * math.Pow(10, exponent); value >= low && value <= high {
				all = append(all, plot.Tick{Value: value, Label: strconv.FormatFloat(value, 'g', 2, 64) + "×"})
			}
		}
	}
	return all
}

// times writes a ratio with two digits, or all before the point.
func times(v float64) string {
	switch {
	case v >= 9.95:
		return fmt.Sprintf("%.0f×", v)
	case v >= 0.995:
		return fmt.Sprintf("%.1f×", v)
	}
	return fmt.Sprintf("%.2f×", v)
}

// rows draws itself on the area of a plot and beside it. Text is aligned to the left, so
// that its place does not depend on the font that the reader's system has.
type rows []line

func (r rows) Plot(c draw.Canvas, p *plot.Plot) {
	x, _ := p.Transforms(&c)
	for _, t := range p.X.Tick.Marker.Ticks(p.X.Min, p.X.Max) {
		grid := draw.LineStyle{Color: light, Width: 0.5}
		if t.Value == 1 {
			grid = draw.LineStyle{Color: grey, Width: 1}
		}
		c.StrokeLine2(grid, x(t.Value), c.Min.Y, x(t.Value), c.Max.Y)
	}
	for _, t := range []struct {
		text  string
		paint color.Color
		at    vg.Length
		align text.XAlignment
	}{{"slower", slower, -8, text.XRight}, {"faster", faster, 8, text.XLeft}} {
		s := style(9, t.paint, xfont.WeightNormal)
		s.XAlign = t.align
		c.FillText(s, vg.Point{X: x(1) + t.at, Y: c.Max.Y + 4}, t.text)
	}
	step := (c.Max.Y - c.Min.Y) / vg.Length(len(r))
	for i, l := range r {
		y := c.Max.Y - (vg.Length(i)+0.5)*step
		if l.heading {
			heading := style(10, black, xfont.WeightBold)
			heading.YAlign = text.YCenter
			c.FillText(heading, vg.Point{X: margin, Y: y + 1}, l.label)
			continue
		}
		r.row(c, l, x, y)
	}
}

func (rows) row(c draw.Canvas, l line, x func(float64) vg.Length, y vg.Length) {
	paint := color.Color(grey)
	switch {
	case l.speed.Lo > 1:
		paint = faster
	case l.speed.Hi < 1:
		paint = slower
	}
	c.StrokeLine2(draw.LineStyle{Color: paint, Width: 1.5}, x(l.speed.Lo), y, x(l.speed.Hi), y)
	c.DrawGlyphNoClip(draw.GlyphStyle{Color: paint, Radius: 3.2, Shape: draw.CircleGlyph{}}, vg.Point{X: x(l.speed.Center), Y: y})
	for _, t := range []struct {
		x      vg.Length
		text   string
		paint  color.Color
		weight xfont.Weight
	}{
		{margin + 12, l.label, black, xfont.WeightNormal},
		{c.Max.X + 14, times(l.speed.Center), paint, xfont.WeightBold},
		{c.Max.X + 54, l.peer, grey, xfont.WeightNormal},
	} {
		s := style(10, t.paint, t.weight)
		s.YAlign = text.YCenter
		c.FillText(s, vg.Point{X: t.x, Y: y + 1}, t.text)
	}
}
