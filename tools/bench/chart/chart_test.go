package chart

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"
)

func label(v float64) string { return fmt.Sprint(v) }

func bars(values ...float64) Bars {
	b := Bars{Title: "a < b & c", Subtitle: strings.Repeat("words and ", 40), Mark: 1, Format: label}
	p := BarPanel{Title: "<panel>"}
	for i, v := range values {
		p.Bars = append(p.Bars, Bar{Label: fmt.Sprint("peer<", i), Kind: Ours, Value: v, Low: v * 0.9, High: v * 1.1})
	}
	b.Panels = []BarPanel{p, p}
	return b
}

func lines(ys ...float64) Lines {
	l := Lines{Title: "a & b", FormatX: label, FormatY: label}
	for i := range 3 {
		line := Line{Label: fmt.Sprint("line ", i), Kind: Others(i)}
		for x, y := range ys {
			line.Points = append(line.Points, Point{math.Pow(10, float64(x)), y, y, y})
		}
		l.Panels = append(l.Panels, LinePanel{Title: "panel", Lines: []Line{line, line}})
	}
	return l
}

// elements parses an image and calls visit with each element's attributes.
func elements(t *testing.T, svg string, visit func(name string, attributes map[string]string)) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("not XML: %v", err)
		}
		if e, ok := token.(xml.StartElement); ok {
			attributes := map[string]string{}
			for _, a := range e.Attr {
				attributes[a.Name.Local] = a.Value
			}
			visit(e.Name.Local, attributes)
		}
	}
}

func TestImagesAreSelfContained(t *testing.T) {
	for name, image := range map[string]Image{
		"bars": bars(1, 2, 3).Draw(), "wide bars": bars(0.1, 50).Draw(),
		"lines": lines(1, 2, 3).Draw(), "wide lines": lines(1, 2000).Draw(), "a single point": lines(5).Draw(),
	} {
		t.Run(name, func(t *testing.T) {
			for form, svg := range map[string]string{"file": image.File(), "inline": image.Inline()} {
				styled := false
				elements(t, svg, func(name string, attributes map[string]string) {
					styled = styled || name == "style"
					for attribute, value := range attributes {
						if name == "script" || attribute == "href" || strings.Contains(value, "NaN") || strings.Contains(value, "Inf") {
							t.Errorf("%s: %s has %s=%q", form, name, attribute, value)
						}
					}
				})
				if styled != (form == "file") {
					t.Errorf("%s: has a style sheet: %v", form, styled)
				}
			}
			if !strings.Contains(image.File(), "prefers-color-scheme:dark") {
				t.Error("nothing is said of dark pages")
			}
		})
	}
}

func TestBarsAreAsLongAsTheirValues(t *testing.T) {
	var widths []float64
	elements(t, bars(1, 2, 4).Draw().Inline(), func(name string, attributes map[string]string) {
		if height, _ := strconv.ParseFloat(attributes["height"], 64); name == "rect" && attributes["class"] == "ours" && height == barHeight {
			width, _ := strconv.ParseFloat(attributes["width"], 64)
			widths = append(widths, width)
		}
	})
	if len(widths) != 6 || math.Abs(widths[1]/widths[0]-2) > 0.01 || math.Abs(widths[2]/widths[0]-4) > 0.01 {
		t.Errorf("1, 2 and 4 are %v long", widths)
	}
}

func TestScales(t *testing.T) {
	for _, test := range []struct {
		low, high float64
		log       bool
	}{{1, 9, false}, {1, 11, true}, {0, 100, false}, {0.2, 4000, true}} {
		s := newScale(test.low, test.high, 100)
		if s.log != test.log {
			t.Errorf("%v to %v is logarithmic: %v", test.low, test.high, s.log)
		}
		if at := s.at(test.high); at < 50 || at > 100.01 {
			t.Errorf("%v of %v to %v is at %v of 100", test.high, test.low, test.high, at)
		}
		ticks := s.ticks(6)
		if len(ticks) < 2 || len(ticks) > 6 {
			t.Errorf("%v to %v has the ticks %v", test.low, test.high, ticks)
		}
		for _, tick := range ticks {
			if at := s.at(tick); at < -0.01 || at > 100.01 {
				t.Errorf("the tick %v of %v to %v is at %v", tick, test.low, test.high, at)
			}
		}
	}
}

func TestLabelsDoNotOverlap(t *testing.T) {
	var all []Line
	for _, y := range []float64{10, 10, 11, 50, 10} {
		all = append(all, Line{Points: []Point{{Y: y}}})
	}
	places := labelPlaces(all, func(y float64) float64 { return y })
	for i, a := range places {
		for _, b := range places[:i] {
			if math.Abs(a-b) < 12 {
				t.Errorf("%v and %v overlap in %v", a, b, places)
			}
		}
	}
}
