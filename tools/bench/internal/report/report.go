// Package report writes what a run has measured: tables, a picture and the values.
package report

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/perf/benchfmt"

	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
)

// Section is how one group of series is shown.
type Section struct {
	Name, Title, Text string
	Unit              string // that is shown; empty for times relative to those of the first peer
	Allocs            bool   // shows allocations as well
	Histogram         bool   // shows measure.Share and nothing else
	Rows              []Row  // of the picture
}

// Row of the picture is how fast one of our peers is relative to the fastest of those
// that match. Of the series that match, the first counts.
type Row struct{ Part, Label, Series, Ours, Peers string }

// Note is what a peer lacks.
type Note struct{ Peer, Lacks string }

// Write writes results.txt, results.md and overview.svg into dir.
func Write(dir string, sections []Section, notes []Note, facts []benchfmt.Config, results []*benchfmt.Result) error {
	var values bytes.Buffer
	if err := measure.Write(&values, facts, results); err != nil {
		return err
	}
	cases := measure.Cases(results)
	var caption []string
	for _, f := range facts {
		if f.Key == "command" || f.Key == "rounds" || f.Key == "date" {
			caption = append(caption, string(f.Value))
		}
	}
	picture, err := overview(sections, cases, strings.Join(caption, "; "))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, data := range map[string][]byte{
		"results.txt":  values.Bytes(),
		"results.md":   []byte(markdown(sections, notes, facts, cases)),
		"overview.svg": picture,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Facts describe this run: the machine and how busy it is, the servers, and why some
// series are left out.
func Facts(command, rounds string, servers, leftOut []string) (facts []benchfmt.Config) {
	cpu, load := "", ""
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "model name" {
			cpu = strings.TrimSpace(value)
		}
	}
	if average, err := os.ReadFile("/proc/loadavg"); err == nil {
		load = strings.Fields(string(average))[0]
	}
	for _, f := range [][2]string{
		{"command", command}, {"rounds", rounds}, {"date", time.Now().UTC().Format(time.DateOnly)},
		{"go", runtime.Version()}, {"goos", runtime.GOOS}, {"goarch", runtime.GOARCH},
		{"cpu", cpu}, {"processors", fmt.Sprint(runtime.NumCPU())}, {"load-before", load},
		{"servers", strings.Join(servers, "; ")}, {"left-out", strings.Join(leftOut, "; ")},
	} {
		if f[1] != "" {
			facts = append(facts, benchfmt.Config{Key: f[0], Value: []byte(f[1]), File: true})
		}
	}
	return facts
}
