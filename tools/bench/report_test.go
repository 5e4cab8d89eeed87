package main

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// benchOnce makes testing.Benchmark do everything once.
func benchOnce(t *testing.T) {
	t.Helper()
	before := flag.Lookup("test.benchtime").Value.String()
	if err := flag.Set("test.benchtime", "1x"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { flag.Set("test.benchtime", before) })
}

// someResults are of one series of each kind that needs no server.
func someResults(t *testing.T) []*result {
	t.Helper()
	benchOnce(t)
	wanted := regexp.MustCompile(`^(Hit/shared/500|Copy/1KB/500|File/get-.*/100B|View/simple/.*|Original/simple/.*|Callers/simple-get/(1|4)|` +
		`Batch/filesystem-.*/10|Value/simple-set/(100|1024)|Entries/simple-get/500|Directory/.*/1000)$`)
	all := slices.DeleteFunc(allSeries([]string{t.TempDir()}), func(s series) bool { return s.missing != "" || !wanted.MatchString(s.title()) })
	p := newProgress(all, 2, time.Millisecond)
	p.to = t.Output()
	results, failed := measure(all, 2, p)
	if len(failed) > 0 {
		t.Fatal(failed)
	}
	return results
}

func TestReport(t *testing.T) {
	results := someResults(t)
	r := report{Command: "go run . -run '<x>'", Machine: machine(), Rounds: 2, Results: results, Goals: checkGoals(results),
		LeftOut: []string{"Redis: no <server>"}, Failed: []string{"Hit: broken"}}
	dir := filepath.Join(t.TempDir(), "results")
	if err := r.write(dir); err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	t.Run("json", func(t *testing.T) {
		var again report
		if err := json.Unmarshal([]byte(read("results.json")), &again); err != nil {
			t.Fatal(err)
		}
		if len(again.Results) != len(results) || again.Results[0].ns() != results[0].ns() {
			t.Errorf("%d results were read back, of %d", len(again.Results), len(results))
		}
	})
	t.Run("html", func(t *testing.T) {
		page := read("results.html")
		for _, want := range []string{"Redis: no &lt;server&gt;", "Hit: broken", `id="hit"`, `id="callers"`, `id="garbage"`, "prefers-color-scheme: dark", "<svg"} {
			if !strings.Contains(page, want) {
				t.Errorf("the page does not have %q", want)
			}
		}
		for _, not := range []string{"<script", "src=", "<link", "@import", "ZgotmplZ", "NaN"} {
			if strings.Contains(page, not) {
				t.Errorf("the page has %q", not)
			}
		}
	})
	t.Run("markdown", func(t *testing.T) {
		text := read("results.md")
		for _, image := range regexp.MustCompile(`\]\((.*\.svg)\)`).FindAllStringSubmatch(text, -1) {
			read(image[1])
		}
		for _, want := range []string{"**Left out**: Redis", "**Failed**: Hit", "overview.svg", "| Hit/shared/500-1: allocations of simple on a hit"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is missing", want)
			}
		}
	})
	t.Run("benchmark format", func(t *testing.T) {
		line := regexp.MustCompile(`^Benchmark[^\s]+-\d+(\t[\d.e+-]+( [^\s]+)?)+$`)
		samples := 0
		for text := range strings.Lines(read("results.txt")) {
			if strings.HasPrefix(text, "Benchmark") {
				samples++
				if !line.MatchString(strings.TrimSpace(text)) {
					t.Errorf("not a line of a benchmark: %q", text)
				}
				if strings.Contains(text, "flask-caching") == strings.Contains(text, "allocs/op") {
					t.Errorf("allocations of another process, or none of ours: %q", text)
				}
			}
		}
		want := 0
		for _, r := range results {
			want += len(r.NsPerOp)
		}
		if samples != want {
			t.Errorf("%d lines for %d samples", samples, want)
		}
	})
}

func TestAFailureLeavesTheOthers(t *testing.T) {
	benchOnce(t)
	good := viewSeries()[0]
	broken := good
	broken.name, broken.lanes = "broken", []lane{{"peer", func() (func(*testing.B), func(), error) {
		return func(b *testing.B) { fail(b, os.ErrNotExist) }, func() {}, nil
	}}}
	all := []series{broken, good}
	p := newProgress(all, 1, time.Millisecond)
	p.to = t.Output()
	results, failed := measure(all, 1, p)
	if len(failed) != 1 || !strings.Contains(failed[0], "View/broken/get: peer: file does not exist") || len(results) != len(good.lanes) {
		t.Errorf("failed: %q, %d results", failed, len(results))
	}
}

func TestProgress(t *testing.T) {
	slow := series{group: "Hit", name: "x", size: "1M", load: 1_000_000, lanes: make([]lane, 10)}
	quick := series{group: "Hit", name: "x", size: "500", lanes: make([]lane, 10)}
	all := []series{quick, slow, slow, slow}
	p := newProgress(all, 5, 100*time.Millisecond)
	var text strings.Builder
	p.to, p.inLine = &text, false
	if first := p.left(0); first < 2*time.Minute || first > 5*time.Minute {
		t.Errorf("%v left at first", first)
	}
	for _, s := range all[:2] {
		p.begin(s)
		p.end(s)
	}
	// Four times as slow as was estimated: so is what is left.
	if left := p.left(4 * p.done); left < 5*time.Minute || left > 10*time.Minute {
		t.Errorf("%v left", left)
	}
	if got := text.String(); !strings.Contains(got, "1 of 4, about ") || !strings.Contains(got, " left: Hit/x/1M\n") {
		t.Errorf("it says %q", got)
	}
}

func TestOriginalSaysWhatIsWrong(t *testing.T) {
	if why := missingPython(); why != "" {
		t.Skip(why)
	}
	p, err := startOriginal(map[string]any{"CACHE_TYPE": "NullCache"})
	if err == nil {
		t.Cleanup(p.close)
		err = p.loop("get", 1)
	}
	if err == nil || !strings.Contains(err.Error(), "python: a key is not") {
		t.Errorf("got %v", err)
	}
}
