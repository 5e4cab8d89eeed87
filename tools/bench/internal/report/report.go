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
	Rows              []Row  // of the picture
}

// Row of the picture is how fast one of our peers is relative to the fastest of the
// others that match. Series is a pattern, of which the first match counts.
type Row struct {
	Part, Label         string
	Series, Ours, Peers string
}

// Note is what a peer lacks.
type Note struct{ Peer, Lacks string }

// Write writes results.txt, results.md and overview.svg into dir.
func Write(dir string, sections []Section, notes []Note, facts []benchfmt.Config, results []*benchfmt.Result) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var values bytes.Buffer
	if err := measure.Write(&values, facts, results); err != nil {
		return err
	}
	cases := measure.Cases(results)
	picture, err := overview(sections, cases)
	if err != nil {
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

// Facts describe this run: the machine and how busy it is, the servers, and what is
// left out.
func Facts(command string, rounds int, servers, leftOut []string) []benchfmt.Config {
	facts := []benchfmt.Config{
		fact("command", command),
		fact("date", time.Now().UTC().Format(time.DateOnly)),
		fact("rounds", fmt.Sprint(rounds)),
		fact("go", runtime.Version()), fact("goos", runtime.GOOS), fact("goarch", runtime.GOARCH),
		fact("processors", fmt.Sprint(runtime.NumCPU())),
	}
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "model name" {
			facts = append(facts, fact("cpu", strings.TrimSpace(value)))
			break
		}
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		facts = append(facts, fact("load-before", strings.Fields(string(load))[0]))
	}
	if len(servers) > 0 {
		facts = append(facts, fact("servers", strings.Join(servers, "; ")))
	}
	if len(leftOut) > 0 {
		facts = append(facts, fact("left-out", strings.Join(leftOut, "; ")))
	}
	return facts
}

func fact(key, value string) benchfmt.Config {
	return benchfmt.Config{Key: key, Value: []byte(value), File: true}
}
