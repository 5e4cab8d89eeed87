package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cachebackends/cachebackends/conformance"
)

// mergeRun merges the reports of a run into kept and its directory. With -check it
// only compares them.
func (c *command) mergeRun(kept map[string]report) error {
	run, err := readReports(c.merge)
	if err != nil {
		return err
	}
	if len(run) == 0 {
		return fmt.Errorf("%s has no reports", c.merge)
	}
	for _, name := range slices.Sorted(maps.Keys(run)) {
		r := run[name]
		before, known := kept[name]
		switch {
		case c.check && !known && !hasBackendOf(name, kept):
			// A report of somebody else: all tests of a repository may write to one directory.
			fmt.Fprintf(c.stderr, "conformance-report: %s is not in %s and not compared\n", name, c.reports)
		case r.failure != "":
			c.find("%s", r.failure)
		case c.check && !known:
			c.find("%s is not in %s", name, c.reports)
		case c.check:
			for _, difference := range before.differences(r) {
				c.find("%s: %s", name, difference)
			}
		case before.Server != r.Server, before.ServerVersion != r.ServerVersion, len(before.differences(r)) > 0:
			kept[name] = r.keepSkipped(before)
			if err := c.keep(kept[name]); err != nil {
				return err
			}
		}
	}
	if !c.check {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(kept)) {
		if _, is := run[name]; is {
			continue
		}
		if c.strict {
			c.find("%s is not in this run; if it no longer exists, remove its report from %s", name, c.reports)
		} else {
			fmt.Fprintf(c.stderr, "conformance-report: %s is not in this run and not compared\n", name)
		}
	}
	return nil
}

// hasBackendOf reports whether reports has the backend that name is a variant of.
func hasBackendOf(name string, reports map[string]report) bool {
	for other := range reports {
		if isVariant(name, other) {
			return true
		}
	}
	return false
}

// keep writes the short form of a report.
func (c *command) keep(r report) error {
	data, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	name := strings.ReplaceAll(r.Backend, "/", "_") + ".json"
	return c.write(filepath.Join(c.reports, name), append(data, '\n'))
}

// differences describes what run found that r does not say. A rule that the run
// skipped is no difference.
func (r report) differences(run report) []string {
	before, after := r.facts(), run.facts()
	names := slices.AppendSeq(slices.Collect(maps.Keys(before)), maps.Keys(after))
	slices.Sort(names)
	var list []string
	for _, name := range slices.Compact(names) {
		if before[name] != after[name] && !run.Rules[name].skipped() {
			list = append(list, fmt.Sprintf("%s: %s is kept, the run found %s", name, orNothing(before[name]), orNothing(after[name])))
		}
	}
	return list
}

// facts are what does not change from run to run, by name.
func (r report) facts() map[string]string {
	facts := map[string]string{}
	if r.Backend == "" {
		return facts
	}
	facts["version of the suite"] = r.Suite
	limits, err := json.Marshal(r.Limits)
	if err != nil {
		panic(err) // numbers and texts
	}
	facts["limits"] = string(limits)
	for _, s := range r.Features {
		facts["feature "+string(s.Feature)] = string(newVerdict(s.Outcome, s.Reason))
	}
	for trait, reason := range r.Traits {
		facts["trait "+string(trait)] = reason
	}
	for id, v := range r.Rules {
		facts[id] = string(v)
	}
	return facts
}

func orNothing(fact string) string {
	if fact == "" {
		return "nothing"
	}
	return fmt.Sprintf("%q", fact)
}

func (v verdict) skipped() bool {
	outcome, _ := v.split()
	return outcome == conformance.Skipped
}

// keepSkipped returns r with the verdicts of before for the rules that r skipped.
func (r report) keepSkipped(before report) report {
	for id, v := range r.Rules {
		if earlier, is := before.Rules[id]; is && v.skipped() {
			r.Rules[id] = earlier
		}
	}
	return r
}
