package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/cachebackends/cachebackends/conformance"
)

// record is what is kept of a report: what the suite found. The seed and the
// versions are those of the run that it was recorded from.
type record struct {
	Backend       string                          `json:"backend"`
	Suite         string                          `json:"suite"`
	Server        string                          `json:"server,omitempty"`
	ServerVersion string                          `json:"server_version,omitempty"`
	Seed          uint64                          `json:"seed"`
	Limits        conformance.Limits              `json:"limits"`
	Features      map[conformance.Feature]verdict `json:"features"`
	Rules         map[string]verdict              `json:"rules"` // by ID; not the provisional ones
}

// verdict is an outcome and, after ": ", the reason, if there is one.
type verdict string

func newVerdict(outcome conformance.Outcome, reason string) verdict {
	if reason != "" {
		reason = ": " + reason
	}
	return verdict(string(outcome) + reason)
}

func (v verdict) split() (outcome conformance.Outcome, reason string) {
	text, reason, _ := strings.Cut(string(v), ": ")
	return conformance.Outcome(text), reason
}

func (v verdict) skipped() bool {
	outcome, _ := v.split()
	return outcome == conformance.Skipped
}

// newRecord keeps what there is to keep of a report that is OK.
func newRecord(r conformance.Report) record {
	kept := record{
		Backend: r.Backend, Suite: r.Suite, Server: r.Server, ServerVersion: r.ServerVersion, Seed: r.Seed, Limits: r.Limits,
		Features: map[conformance.Feature]verdict{}, Rules: map[string]verdict{},
	}
	for _, f := range r.Features {
		kept.Features[f.Feature] = newVerdict(f.Outcome, f.Reason)
	}
	for _, result := range r.Results {
		if !result.Provisional {
			kept.Rules[result.ID] = newVerdict(result.Outcome, result.Reason)
		}
	}
	return kept
}

// changes says what run found that r does not have; the zero record has nothing.
func (r record) changes(run record) []string {
	if r.Backend == "" {
		return []string{"not recorded; run make matrix"}
	}
	var changes []string
	differ := func(what string, recorded, found any) {
		changes = append(changes, fmt.Sprintf("%s: recorded is %+v, the suite found %+v; run make matrix", what, recorded, found))
	}
	if r.Suite != run.Suite {
		differ("version of the suite", r.Suite, run.Suite)
	}
	if !reflect.DeepEqual(r.Limits, run.Limits) {
		differ("limits", asJSON(r.Limits), asJSON(run.Limits))
	}
	for _, feature := range union(r.Features, run.Features) {
		if r.Features[feature] != run.Features[feature] {
			differ(string(feature), quoted(r.Features[feature]), quoted(run.Features[feature]))
		}
	}
	for _, id := range union(r.Rules, run.Rules) {
		if r.Rules[id] != run.Rules[id] && !run.Rules[id].skipped() {
			differ(id, quoted(r.Rules[id]), quoted(run.Rules[id]))
		}
	}
	return changes
}

func quoted(v verdict) string {
	if v == "" {
		return "nothing"
	}
	return fmt.Sprintf("%q", string(v))
}

func asJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // a struct of numbers and texts
	}
	return string(text)
}

func union[K ~string, V any](a, b map[K]V) []K {
	keys := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(keys)
	return slices.Compact(keys)
}

// same reports whether there is no need to record run.
func (r record) same(run record) bool {
	return len(r.changes(run)) == 0 && r.Server == run.Server && r.ServerVersion == run.ServerVersion
}

// over returns r, with the verdicts of earlier where r skipped the rule.
func (r record) over(earlier record) record {
	r.Rules = maps.Clone(r.Rules)
	for id, v := range r.Rules {
		if before, is := earlier.Rules[id]; is && v.skipped() {
			r.Rules[id] = before
		}
	}
	return r
}

func (r record) write(w *workspace) error {
	data, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(w.Root, recordsDir), 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(w.Root, recordsDir, r.Backend+".json"), append(data, '\n'), 0o644)
}

// readRecords reads what is recorded, by the names of the backends.
func readRecords(w *workspace) (map[string]record, error) {
	list, err := readAll[record](filepath.Join(w.Root, recordsDir))
	records := map[string]record{}
	for file, r := range list {
		if file != r.Backend+".json" || w.moduleOf(r.Backend) == "" {
			return nil, fmt.Errorf("%s/%s is not of a backend that go.work lists", recordsDir, file)
		}
		records[r.Backend] = r
	}
	return records, err
}

// readRuns reads the reports of a run of the suite, by the names of the backends,
// and finds what failed in them. Reports of others, such as the suite's own
// tests, are passed over.
func readRuns(w *workspace, dir string, found *findings) (map[string]record, error) {
	list, err := readAll[conformance.Report](dir)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("%s has no reports", dir)
	}
	runs := map[string]record{}
	for _, file := range slices.Sorted(maps.Keys(list)) {
		r := list[file]
		module := w.moduleOf(r.Backend)
		if module == "" {
			continue
		}
		if !r.OK() {
			found.add(module, "matrix", "%s; what failed is not recorded", r)
			continue
		}
		runs[r.Backend] = newRecord(r)
	}
	return runs, err
}

// readAll reads the JSON files in dir, which need not be there, by their names.
func readAll[T any](dir string) (map[string]T, error) {
	paths, err := fs.Glob(os.DirFS(dir), "*.json")
	if err != nil {
		return nil, err
	}
	list := map[string]T{}
	for _, name := range paths {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		var v T
		if err := json.Unmarshal(data, &v); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		list[name] = v
	}
	return list, nil
}

// strayRules finds rules that the suite has and no record, or the other way
// round: those that somebody has added, or removed, without a run.
func strayRules(records map[string]record, found *findings) {
	recorded, suite := map[string]verdict{}, map[string]conformance.Case{}
	for _, r := range records {
		maps.Copy(recorded, r.Rules)
	}
	for _, c := range conformance.Cases() {
		suite[c.ID] = c
	}
	for _, id := range slices.Sorted(maps.Keys(suite)) {
		if recorded[id] == "" && !suite[id].Provisional {
			found.add("conformance", "matrix", "%s is a rule that no record has; run make matrix", id)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(recorded)) {
		if _, is := suite[id]; !is {
			found.add("conformance", "matrix", "%s is recorded, and no rule of the suite; run make matrix", id)
		}
	}
}
