package metrics

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"

	cache "github.com/cachebackends/cachebackends/core"
	cacheprom "github.com/cachebackends/cachebackends/observe/prometheus"
)

// panel is a panel of the dashboard.
type panel struct {
	ID          int    `json:"id"`
	Title       string `json:"title"`
	Description string `json:"description"`
	GridPos     struct{ X, Y, W, H int }
	FieldConfig struct {
		Defaults struct{ Unit string }
	} `json:"fieldConfig"`
	Targets []struct {
		Expr         string `json:"expr"`
		LegendFormat string `json:"legendFormat"`
	} `json:"targets"`
}

func readDashboard(t *testing.T) []panel {
	t.Helper()
	text, err := os.ReadFile("../../observe/prometheus/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct{ Panels []panel }
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	if len(dashboard.Panels) == 0 {
		t.Fatal("the dashboard has no panels")
	}
	return dashboard.Panels
}

var (
	metricName = regexp.MustCompile(`cache_\w+`)
	selector   = regexp.MustCompile(`(cache_\w+)\{([^}]*)\}`)
	matcher    = regexp.MustCompile(`(\w+)[=!]`)
	grouping   = regexp.MustCompile(`by \(([^)]*)\)`)
	legend     = regexp.MustCompile(`\{\{(\w+)\}\}`)
)

// Each metric and label of a query is exported, and each metric is in a panel. This is
// tested without a Prometheus as well.
func TestDashboardNames(t *testing.T) { synctest.Test(t, testDashboardNames) }

func testDashboardNames(t *testing.T) {
	reg := prometheus.NewRegistry()
	p := newProgram(t, cache.WithObserver(cacheprom.Observer(reg)))
	reg.MustRegister(cacheprom.Collector(p.memory), cacheprom.Collector(p.guarded))
	p.round(t.Context())
	known := map[string]exported{}
	for _, m := range fromPrometheus(t, reg) {
		known[m.name] = m
	}
	base := func(name string) string { // of a series of a histogram
		for _, suffix := range []string{"_bucket", "_count", "_sum"} {
			if short, ok := strings.CutSuffix(name, suffix); ok && known[short].kind == "histogram" {
				return short
			}
		}
		return name
	}
	used := map[string]bool{}
	for _, panel := range readDashboard(t) {
		if panel.Title == "" || panel.Description == "" || len(panel.Targets) == 0 {
			t.Errorf("panel %d has no title, description or query", panel.ID)
		}
		for _, target := range panel.Targets {
			labels := map[string]bool{"le": true, "instance": true}
			for _, name := range metricName.FindAllString(target.Expr, -1) {
				m, ok := known[base(name)]
				if !ok {
					t.Errorf("%s: no metric %s", panel.Title, name)
				}
				used[base(name)] = true
				for label := range m.labels {
					labels[label] = true
				}
			}
			for _, found := range selector.FindAllStringSubmatch(target.Expr, -1) {
				for _, m := range matcher.FindAllStringSubmatch(found[2], -1) {
					if !labels[m[1]] {
						t.Errorf("%s: %s has no label %s", panel.Title, found[1], m[1])
					}
				}
				if !strings.Contains(found[2], `backend=~"$backend"`) {
					t.Errorf("%s: %s is not limited to the chosen backends", panel.Title, found[1])
				}
			}
			groups := labels
			if found := grouping.FindStringSubmatch(target.Expr); found != nil {
				groups = map[string]bool{}
				for label := range strings.SplitSeq(found[1], ", ") {
					if groups[label] = true; !labels[label] {
						t.Errorf("%s: grouped by %s, which no metric has", panel.Title, label)
					}
				}
			}
			for _, found := range legend.FindAllStringSubmatch(target.LegendFormat, -1) {
				if !groups[found[1]] {
					t.Errorf("%s: the legend has the label %s, the query has not", panel.Title, found[1])
				}
			}
		}
	}
	for name := range known {
		if !used[name] {
			t.Errorf("no panel shows %s", name)
		}
	}
}
