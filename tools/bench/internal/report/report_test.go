package report

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/perf/benchfmt"

	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
)

var sections = []Section{
	{Name: "Hit", Title: "Hits", Text: "Reads.", Allocs: true, Rows: []Row{
		{Part: "simple", Label: "hit", Series: "Hit/*", Ours: "simple", Peers: "otter*,theine"},
		{Part: "simple", Label: "absent", Series: "Hit/nothing", Ours: "simple", Peers: "*"},
	}},
	{Name: "Ratio", Title: "Hit ratio", Unit: "hit%", Text: "Percentage."},
	{Name: "Fill", Title: "Fills", Unit: "loads/expiry", Text: "Loads."},
	{Name: "Fill", Title: "Ages", Histogram: true, Text: "Ages."},
	{Name: "Empty", Title: "Nothing was measured here"},
}

const values = `command: bench -run 'a|b'
rounds: 2

BenchmarkHit/entries=500/peer=simple-1 10 20 ns/op 0 B/op 0 allocs/op
BenchmarkHit/entries=500/peer=simple-1 10 30 ns/op 0 B/op 0 allocs/op
BenchmarkHit/entries=500/peer=otter-1 10 60 ns/op 112 B/op 1 allocs/op
BenchmarkHit/entries=500/peer=otter-1 10 60 ns/op 112 B/op 1 allocs/op
BenchmarkHit/entries=500/peer=theine-1 10 80 ns/op 2048 B/op 3 allocs/op 50 hit%
BenchmarkHit/entries=500/peer=theine-1 10 90 ns/op 2048 B/op 3 allocs/op 50 hit%
BenchmarkRatio/entries=500/peer=simple-2 10 1000 ns/op 75.5 hit% 12 ns/access
BenchmarkRatio/entries=500/peer=otter-2 10 1000 ns/op 73.25 hit% 1500 ns/access
BenchmarkRatio/entries=100k/peer=simple-2 10 1000 ns/op 80 hit% 12 ns/access
BenchmarkFill/redis/peer=loader-2 10 1000 ns/op 1 loads/expiry 300 ns/p99 40 share/100ms 60 share/50ms
BenchmarkFill/redis/peer=round-trip-2 10 1000 ns/op 200 ns/p99
BenchmarkFill/redis/peer=other-2 10 1000 ns/op 4 loads/expiry 100 share/0s
`

func written(t *testing.T) func(name string) string {
	t.Helper()
	facts, results, err := measure.Read(strings.NewReader(values), "values")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "new")
	if err := Write(dir, sections, []Note{{"otter", "expiry"}}, facts, results); err != nil {
		t.Fatal(err)
	}
	return func(name string) string {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

func TestValuesAreKept(t *testing.T) {
	if got := written(t)("results.txt"); got != values {
		t.Errorf("got\n%s\nwant\n%s", got, values)
	}
}

func TestTables(t *testing.T) {
	text := written(t)("results.md")
	for _, want := range []string{
		"- command: bench -run 'a|b'\n",
		`
|        | entries=500-1                     |
| ---    | ---                               |
| simple | 25.00 ns ± 20%, 0 B, 0 allocs     |
| otter  | 2.50 ± 20%, 112 B, 1 alloc        |
| theine | 3.50 ± 14%, 2 KiB, 3 allocs, 50 % |
`, `
|        | entries=500-2            | entries=100k-2        |
| ---    | ---                      | ---                   |
| simple | 75.5 %, access 12.00 ns  | 80 %, access 12.00 ns |
| otter  | 73.25 %, access 1.500 µs | -                     |
`, `
|            | redis-2              |
| ---        | ---                  |
| loader     | 1 load, p99 300.0 ns |
| round-trip | p99 200.0 ns         |
| other      | 4 loads              |
`, `
|         |        | from 0s | from 50ms | from 100ms |
| ---     | ---    | ---     | ---       | ---        |
| redis-2 | loader |         | 60.0 %    | 40.0 %     |
| redis-2 | other  | 100.0 % |           |            |
`, `
| otter | expiry |
`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, "Nothing was measured") {
		t.Error("there is a section without results")
	}
}

func TestRowsAreTheMoreNumerous(t *testing.T) {
	_, results, err := measure.Read(strings.NewReader(values+"BenchmarkRatio/entries=1M/peer=simple-2 10 1000 ns/op 80 hit%\n"), "values")
	if err != nil {
		t.Fatal(err)
	}
	if got := sections[1].table(measure.Cases(results)); len(got) != 4 || len(got[0]) != 3 {
		t.Errorf("the table of three cases and two peers is\n%s", got)
	}
}

func TestPicture(t *testing.T) {
	picture := written(t)("overview.svg")
	if err := xml.Unmarshal([]byte(picture), new(struct{})); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{">hit<", ">2.5×<", ">otter<", ">simple<", ">1×<", ">bench -run &#39;a|b&#39;; 2<"} {
		if strings.Count(picture, want) != 1 {
			t.Errorf("%q is %d times in the picture", want, strings.Count(picture, want))
		}
	}
	for _, not := range []string{"absent", "NaN", "Inf", "-8000"} {
		if strings.Contains(picture, not) {
			t.Errorf("%q is in the picture", not)
		}
	}
}

func TestPictureOfNothing(t *testing.T) {
	if _, err := overview(sections, nil, ""); err != nil {
		t.Error(err)
	}
}

func TestQuantity(t *testing.T) {
	for _, test := range []struct {
		value float64
		unit  string
		want  string
	}{
		{12.34e-9, measure.Time, "12.34 ns"},
		{0.0025, measure.Time, "2.500 ms"},
		{1536, measure.Bytes, "1.5 KiB"},
		{0, measure.Bytes, "0 B"},
		{1, measure.Allocs, "1 alloc"},
		{100, measure.Allocs, "100 allocs"},
		{2010, measure.Allocs, "2.01k allocs"},
		{234.6, "B/entry", "234.6 B"},
		{73.94, "hit%", "73.94 %"},
	} {
		if got := Quantity(test.value, test.unit); got != test.want {
			t.Errorf("%v %s is %q, want %q", test.value, test.unit, got, test.want)
		}
	}
}

func TestFactsLeaveOutWhatIsUnknown(t *testing.T) {
	facts := Facts("bench", "7", nil, []string{"no redis", "no uwsgi"})
	var last benchfmt.Config
	for _, f := range facts {
		if len(f.Value) == 0 || !f.File {
			t.Errorf("%s is %q", f.Key, f.Value)
		}
		last = f
	}
	if last.Key != "left-out" || string(last.Value) != "no redis; no uwsgi" {
		t.Errorf("%s: %s", last.Key, last.Value)
	}
}
