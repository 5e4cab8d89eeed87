package metrics

import (
	"bytes"
	"cmp"
	"fmt"
	"html"
	"math"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// The picture has the panels at their places in the dashboard.
const (
	columns   = 24 // of the grid
	cellWidth = 51
	rowHeight = 34
	margin    = 10
	window    = 40 * time.Second
	maxLegend = 6
)

var colours = []string{"#3274d9", "#e0752d", "#299c46", "#bf1b00", "#7c3aed", "#b8a100", "#0aa5a5", "#c2185b"}

// draw writes docs/images/metrics.svg: the data of the panels as lines. It is no picture of
// Grafana.
func draw(t *testing.T, server *prometheusServer, panels []panel) {
	t.Helper()
	time.Sleep(window)
	now := time.Now()
	var svg bytes.Buffer
	height := 0
	for _, p := range panels {
		height = max(height, (p.GridPos.Y+p.GridPos.H)*rowHeight)
	}
	fmt.Fprintf(&svg, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="11">`+"\n", columns*cellWidth+margin, height+margin)
	fmt.Fprintf(&svg, `<rect width="100%%" height="100%%" fill="#f4f5f5"/>`+"\n")
	for _, p := range panels {
		drawPanel(t, &svg, server, p, now)
	}
	svg.WriteString("</svg>\n")
	if err := os.WriteFile("../../docs/images/metrics.svg", svg.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}

// line is a series with the text of its legend.
type line struct {
	text    string
	samples []sample
}

func linesOf(t *testing.T, server *prometheusServer, p panel, now time.Time) (lines []line) {
	t.Helper()
	for _, target := range p.Targets {
		found, err := server.get("/api/v1/query_range", url.Values{
			"query": {fill(target.Expr)}, "step": {"1s"},
			"start": {fmt.Sprint(now.Add(-window).Unix())}, "end": {fmt.Sprint(now.Unix())},
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range found {
			text := legend.ReplaceAllStringFunc(target.LegendFormat, func(name string) string { return s.labels[strings.Trim(name, "{}")] })
			lines = append(lines, line{text, s.samples})
		}
	}
	last := func(l line) float64 { return l.samples[len(l.samples)-1].value }
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(last(b), last(a)) })
	return lines
}

func drawPanel(t *testing.T, svg *bytes.Buffer, server *prometheusServer, p panel, now time.Time) {
	t.Helper()
	left, top := p.GridPos.X*cellWidth+margin, p.GridPos.Y*rowHeight+margin
	width, height := p.GridPos.W*cellWidth-margin, p.GridPos.H*rowHeight-margin
	fmt.Fprintf(svg, `<rect x="%d" y="%d" width="%d" height="%d" fill="#fff" stroke="#ddd"/><text x="%d" y="%d" font-size="13" font-weight="bold">%s</text>`+"\n",
		left, top, width, height, left+8, top+18, html.EscapeString(p.Title))
	lines := linesOf(t, server, p, now)
	highest := 0.0
	for _, l := range lines {
		for _, s := range l.samples {
			highest = max(highest, s.value)
		}
	}
	highest = roundUp(highest)
	x0, x1, y0, y1 := float64(left+62), float64(left+width-10), float64(top+height-14*(min(len(lines), maxLegend)+1)-14), float64(top+32)
	for _, part := range []float64{0, 0.5, 1} {
		y := y0 + part*(y1-y0)
		fmt.Fprintf(svg, `<path d="M%.1f %.1fH%.1f" stroke="#eee"/><text x="%.1f" y="%.1f" text-anchor="end" fill="#555">%s</text>`+"\n",
			x0, y, x1, x0-4, y+4, format(part*highest, p.FieldConfig.Defaults.Unit))
	}
	for i, l := range lines {
		var points strings.Builder
		for _, s := range l.samples {
			age := float64(now.Unix()) - s.at
			fmt.Fprintf(&points, "%.1f,%.1f ", x1-age/window.Seconds()*(x1-x0), y0+s.value/highest*(y1-y0))
		}
		colour := colours[i%len(colours)]
		fmt.Fprintf(svg, `<polyline points="%s" fill="none" stroke="%s" stroke-width="1.5"/>`+"\n", strings.TrimSpace(points.String()), colour)
		text := l.text
		if i == maxLegend {
			text, colour = fmt.Sprintf("and %d more", len(lines)-maxLegend), "#fff"
		}
		if i <= maxLegend {
			y := int(y0) + 18 + 14*i
			fmt.Fprintf(svg, `<rect x="%d" y="%d" width="10" height="3" fill="%s"/><text x="%d" y="%d">%s</text>`+"\n", left+10, y-4, colour, left+26, y, html.EscapeString(text))
		}
	}
}

// roundUp returns the next number of the form 1, 2 or 5 times a power of 10.
func roundUp(value float64) float64 {
	if value <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(value)))
	for _, factor := range []float64{1, 2, 5} {
		if value <= factor*power {
			return factor * power
		}
	}
	return 10 * power
}

// format returns value in the unit of a panel.
func format(value float64, unit string) string {
	switch {
	case unit == "percentunit":
		return fmt.Sprintf("%.0f%%", 100*value)
	case unit == "s":
		return time.Duration(value * 1e9).String()
	case unit == "bytes" && value >= 1<<10:
		return fmt.Sprintf("%.4g KiB", value/(1<<10))
	case unit == "Bps":
		return fmt.Sprintf("%.4g B/s", value)
	case unit == "ops":
		return fmt.Sprintf("%.4g/s", value)
	}
	return fmt.Sprintf("%.4g", value)
}
