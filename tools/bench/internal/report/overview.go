package report

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"path"
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

// line is a row of the picture, or the heading of a part, which has no peer.
type line struct {
	label, peer string
	speed       benchmath.Summary // relative to the peer's
}

// lines are the rows that there are results for, below the headings of their parts.
func lines(sections []Section, cases []*measure.Case) (all []line) {
	part := ""
	for _, s := range sections {
		for _, r := range s.Rows {
			l, ok := r.line(cases)
			if !ok {
				continue
			}
			if r.Part != part {
				part = r.Part
				all = append(all, line{label: part})
			}
			all = append(all, l)
		}
	}
	return all
}

// line compares on the most processors.
func (r Row) line(cases []*measure.Case) (l line, ok bool) {
	series, procs := "", 0
	for _, c := range cases {
		is, _ := path.Match(r.Series, c.Series)
		ours, fastest := c.Peer(r.Ours), c.Best(measure.Time, strings.Split(r.Peers, ",")...)
		if is && ours != nil && fastest != nil && (!ok || c.Series == series && c.Procs > procs) {
			l, ok = line{r.Label, fastest.Name, fastest.Ratio(ours, measure.Time)}, true
			series, procs = c.Series, c.Procs
		}
	}
	return l, ok
}

// Sizes of the picture.
const (
	width       = 640
	lineHeight  = 15
	margin      = 10
	labelWidth  = 155
	valueWidth  = 155
	titleHeight = 76
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
func overview(sections []Section, cases []*measure.Case, caption string) ([]byte, error) {
	all := lines(sections, cases)
	height := vg.Length(titleHeight + axisHeight + lineHeight*len(all))
	canvas := vgsvg.New(width, height)
	page := draw.New(canvas)
	page.FillPolygon(color.White, []vg.Point{{}, {X: width}, {X: width, Y: height}, {Y: height}})
	write(page, margin, height-16, "Speed relative to the fastest peer", 13, black, xfont.WeightBold)
	write(page, margin, height-32, "Median over the rounds and its 95 % interval, or the range of fewer than six rounds. The peer stands on the right.", 9, grey, xfont.WeightNormal)
	write(page, margin, height-45, caption, 9, grey, xfont.WeightNormal)

	p := plot.New()
	p.HideY()
	p.BackgroundColor = color.White
	p.Y.Min, p.Y.Max = 0, 1
	p.X.Scale, p.X.Padding, p.X.LineStyle.Width, p.X.Tick.Length = plot.LogScale{}, 0, 0, 0
	p.X.Min, p.X.Max = 0.5, 2
	for _, l := range all {
		if l.peer != "" {
			p.X.Min, p.X.Max = min(p.X.Min, l.speed.Lo/1.1), max(p.X.Max, l.speed.Hi*1.1)
		}
	}
	p.X.Tick.Marker = ticks(p.X.Min, p.X.Max)
	p.X.Tick.Label = style(9, grey, xfont.WeightNormal)
	p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = text.XCenter, text.YTop
	p.Add(rows(all))
	p.Draw(draw.Crop(page, labelWidth, -valueWidth, 8, -titleHeight))

	var b bytes.Buffer
	_, err := canvas.WriteTo(&b)
	// Fonts of the same metrics, for systems that do not have the first.
	return bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;")), err
}

func style(size vg.Length, paint color.Color, weight xfont.Weight) text.Style {
	return text.Style{Color: paint, YAlign: text.YCenter, Handler: plot.DefaultTextHandler,
		Font: font.Font{Typeface: "Liberation", Variant: "Sans", Size: size, Weight: weight}}
}

// write aligns to the left, so that the place of a text does not depend on the font
// that the reader's system has.
func write(c draw.Canvas, x, y vg.Length, text string, size vg.Length, paint color.Color, weight xfont.Weight) {
	c.FillText(style(size, paint, weight), vg.Point{X: x, Y: y}, text)
}

func ticks(low, high float64) (all plot.ConstantTicks) {
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

// rows draws itself on the area of a plot and beside it.
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
	write(c, x(1)-36, c.Max.Y+8, "slower", 9, slower, xfont.WeightNormal)
	write(c, x(1)+8, c.Max.Y+8, "faster", 9, faster, xfont.WeightNormal)
	step := (c.Max.Y - c.Min.Y) / vg.Length(len(r))
	for i, l := range r {
		y := c.Max.Y - (vg.Length(i)+0.5)*step
		if l.peer == "" {
			write(c, margin, y+1, l.label, 10, black, xfont.WeightBold)
			continue
		}
		paint := color.Color(grey)
		switch {
		case l.speed.Lo > 1:
			paint = faster
		case l.speed.Hi < 1:
			paint = slower
		}
		c.StrokeLine2(draw.LineStyle{Color: paint, Width: 1.5}, x(l.speed.Lo), y, x(l.speed.Hi), y)
		c.DrawGlyphNoClip(draw.GlyphStyle{Color: paint, Radius: 3.2, Shape: draw.CircleGlyph{}}, vg.Point{X: x(l.speed.Center), Y: y})
		write(c, margin+12, y+1, l.label, 10, black, xfont.WeightNormal)
		write(c, c.Max.X+14, y+1, times(l.speed.Center), 10, paint, xfont.WeightBold)
		write(c, c.Max.X+54, y+1, l.peer, 10, grey, xfont.WeightNormal)
	}
}
