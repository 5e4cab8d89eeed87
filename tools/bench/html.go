package main

import (
	_ "embed"
	"html/template"
	"strings"

	"github.com/cachebackends/cachebackends/tools/bench/chart"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"inline": func(i chart.Image) template.HTML { return template.HTML(i.Inline()) },
	"strong": func(cell string) bool { return strings.HasPrefix(cell, "**") },
	"bare":   func(cell string) string { return strings.Trim(cell, "*") },
	"head":   func(t table) []string { return t[0] },
	"body":   func(t table) table { return t[1:] },
}).Parse(pageText))

// html is the report as one page that needs nothing else.
func (r report) html(parts []part) (string, error) {
	met := 0
	for _, g := range r.Goals {
		if g.Met {
			met++
		}
	}
	var b strings.Builder
	err := page.Execute(&b, map[string]any{
		"Report": r, "Parts": parts, "Met": met, "ChartStyle": template.CSS(chart.Style),
	})
	return b.String(), err
}
