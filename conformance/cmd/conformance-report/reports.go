package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cachebackends/cachebackends/conformance"
)

// report is what the suite found about one backend. It is read from a report of
// the suite or from the short form that this command writes, which has Rules in
// place of the results.
type report struct {
	Backend       string                       `json:"backend"`
	Suite         string                       `json:"suite"`
	Server        string                       `json:"server,omitempty"`
	ServerVersion string                       `json:"server_version,omitempty"`
	Seed          uint64                       `json:"seed"`
	Limits        conformance.Limits           `json:"limits"`
	Features      []conformance.Support        `json:"features"`
	Traits        map[conformance.Trait]string `json:"traits,omitempty"` // with their reasons
	Rules         map[string]verdict           `json:"rules"`            // by ID, without the provisional ones

	failure string // the counts of a report with failures
}

// verdict is an outcome, followed by ": " and the reason if there is one.
type verdict string

func newVerdict(outcome conformance.Outcome, reason string) verdict {
	if reason == "" {
		return verdict(outcome)
	}
	return verdict(string(outcome) + ": " + strings.Join(strings.Fields(reason), " "))
}

func (v verdict) split() (outcome conformance.Outcome, reason string) {
	text, reason, _ := strings.Cut(string(v), ": ")
	return conformance.Outcome(text), reason
}

// feature returns what the report says about a feature.
func (r report) feature(f conformance.Feature) verdict {
	for _, s := range r.Features {
		if s.Feature == f {
			return newVerdict(s.Outcome, s.Reason)
		}
	}
	return ""
}

func (r report) has(f conformance.Feature) bool { return r.feature(f) == verdict(conformance.Pass) }

// unknownRules returns the IDs of rules that this version of the suite does not have.
func (r report) unknownRules() []string {
	unknown := maps.Clone(r.Rules)
	for _, rule := range conformance.Cases() {
		delete(unknown, rule.ID)
	}
	return slices.Sorted(maps.Keys(unknown))
}

// readReports reads the reports in dir, which need not exist, by backend.
func readReports(dir string) (map[string]report, error) {
	names, err := fs.Glob(os.DirFS(dir), "*.json")
	if err != nil {
		return nil, err
	}
	reports := map[string]report{}
	for _, name := range names {
		path := filepath.Join(dir, name)
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		r, err := parseReport(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		reports[r.Backend] = r
	}
	return reports, nil
}

func parseReport(data []byte) (report, error) {
	var short report
	if err := json.Unmarshal(data, &short); err != nil {
		return report{}, err
	}
	if short.Backend == "" {
		return report{}, errors.New("not a report of the conformance suite: no backend")
	}
	if short.Rules != nil {
		return short, nil
	}
	var full conformance.Report
	if err := json.Unmarshal(data, &full); err != nil {
		return report{}, err
	}
	if !full.OK() {
		short.failure = full.String()
	}
	short.Rules = map[string]verdict{}
	for _, result := range full.Results {
		if !result.Provisional {
			short.Rules[result.ID] = newVerdict(result.Outcome, result.Reason)
		}
	}
	return short, nil
}

// backend is a group of reports: that of the backend itself, then its variants.
type backend struct {
	Name    string
	Reports []report
}

// group sorts reports by name, variants behind the report of their backend.
func group(reports map[string]report) []backend {
	var backends []backend
	for _, name := range slices.Sorted(maps.Keys(reports)) {
		i := slices.IndexFunc(backends, func(b backend) bool { return isVariant(name, b.Name) })
		if i < 0 {
			i = len(backends)
			backends = append(backends, backend{Name: name})
		}
		backends[i].Reports = append(backends[i].Reports, reports[name])
	}
	return backends
}

func isVariant(name, backend string) bool { return strings.HasPrefix(name, backend+"-") }
