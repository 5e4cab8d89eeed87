package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// report is one run, and the JSON form of it.
type report struct {
	Command string    `json:"command"`
	Date    time.Time `json:"date"`
	Machine []fact    `json:"machine"`
	Servers []string  `json:"servers"` // and what else is no module, with versions
	Modules []string  `json:"modules"` // of the peers, with their versions
	Rounds  int       `json:"rounds"`
	LeftOut []string  `json:"left_out,omitempty"` // groups that could not be measured, and why
	Failed  []string  `json:"failed,omitempty"`   // series, and why
	Goals   []goal    `json:"goals"`
	Results []*result `json:"results"`

	Profiles []profiled `json:"profiles,omitempty"` // of what misses a goal
}

// readReport reads what write has written into dir.
func readReport(dir string) (r report, err error) {
	data, err := os.ReadFile(filepath.Join(dir, "results.json"))
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	return r, err
}

// write writes every form of the report into dir.
func (r report) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	parts := r.parts()
	page, err := r.html(parts)
	if err != nil {
		return err
	}
	files := map[string]string{
		"results.json": string(data) + "\n",
		"results.md":   r.markdown(parts),
		"results.html": page,
		"results.txt":  r.benchmarkFormat(),
	}
	for _, p := range parts {
		for _, f := range p.Figures {
			files[f.Name+".svg"] = f.Image.File()
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// fact is a line of the head of go test -bench, or one like it.
type fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// machine names the platform in the words of go test -bench, and how busy it is:
// what others do meanwhile is the largest error of such a run.
func machine() []fact {
	facts := []fact{{"go", runtime.Version()}, {"goos", runtime.GOOS}, {"goarch", runtime.GOARCH}, {"procs", fmt.Sprint(runtime.NumCPU())}}
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "model name" {
			facts = append(facts, fact{"cpu", strings.TrimSpace(value)})
			break
		}
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		facts = append(facts, fact{"load before", strings.Fields(string(load))[0]})
	}
	return facts
}

// missing names the groups of series that cannot be measured here.
func missing(all []series) []string {
	var groups []string
	for _, s := range all {
		if why := s.group + ": " + s.missing; s.missing != "" && !slices.Contains(groups, why) {
			groups = append(groups, why)
		}
	}
	return groups
}

func modules() []string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	var all []string
	for _, m := range info.Deps {
		if m.Replace == nil { // ours are of this very tree
			all = append(all, m.Path+" "+m.Version)
		}
	}
	return all
}

// serverVersions is what the programs on the PATH say of themselves. A server at
// an address of the environment may be another.
func serverVersions() []string {
	var all []string
	for _, server := range []struct{ name, flag, variable string }{
		{"redis-server", "--version", "BENCH_REDIS"},
		{"memcached", "--version", "BENCH_MEMCACHED"},
		{"uwsgi", "--version", "BENCH_UWSGI"},
	} {
		if os.Getenv(server.variable) != "" {
			all = append(all, server.name+": that of "+server.variable)
		} else if out, err := exec.Command(server.name, server.flag).Output(); err == nil {
			all = append(all, server.name+": "+firstLine(out))
		}
	}
	if _, versions := python(); versions != "" {
		all = append(all, versions)
	}
	return all
}

func firstLine(text []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	return line
}
