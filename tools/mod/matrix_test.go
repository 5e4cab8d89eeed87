package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance"
)

// passing is the report of a backend that keeps all rules of the suite.
func passing(name string) conformance.Report {
	r := conformance.Report{
		Suite: conformance.Version, Backend: name, Server: name + "-server", ServerVersion: "1.2", Seed: 42, Started: time.Now(),
		Limits: conformance.Limits{Resolution: time.Millisecond},
	}
	for _, row := range matrixRows {
		if row.Feature != "" {
			r.Features = append(r.Features, conformance.Support{Feature: row.Feature, Outcome: conformance.Pass})
		}
	}
	for _, c := range conformance.Cases() {
		r.Results = append(r.Results, conformance.Result{
			ID: c.ID, Name: c.Name, Rule: c.Rule, Outcome: conformance.Pass, Provisional: c.Provisional, Duration: time.Second,
		})
	}
	return r
}

// lacks says in r that the backend has not feature, and keeps not the rule with id.
func lacks(r *conformance.Report, feature conformance.Feature, id, reason string) {
	i := slices.IndexFunc(r.Features, func(s conformance.Support) bool { return s.Feature == feature })
	r.Features[i].Outcome, r.Features[i].Reason = conformance.Unsupported, reason
	result := rule(r, id)
	result.Outcome, result.Reason = conformance.Unsupported, reason
}

func rule(r *conformance.Report, id string) *conformance.Result {
	return &r.Results[slices.IndexFunc(r.Results, func(result conformance.Result) bool { return result.ID == id })]
}

// runs are the reports of a run over the backends of a scratch repository.
type runs map[string]*conformance.Report

func newRuns() runs {
	simple, redis, cluster := passing("simple"), passing("redis"), passing("redis-cluster")
	lacks(&simple, conformance.Persistence, "PER-1", "it is a <map>, and *gone*")
	lacks(&redis, conformance.Threshold, "EVI-1", "maxmemory: the server's")
	lacks(&cluster, conformance.Threshold, "EVI-1", "maxmemory: the server's")
	lacks(&cluster, conformance.PrefixClear, "CLR-2", "too many nodes")
	redis.Limits.MaxKey, cluster.Limits.MaxKey = 250, 222
	redis.Limits.RefusedKeys, cluster.Limits.RefusedKeys = []string{`"a\n"`}, []string{`"a\n"`}
	return runs{"simple": &simple, "redis": &redis, "redis-cluster": &cluster}
}

func (reports runs) write(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, r := range reports {
		if _, err := r.WriteFile(dir); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// newMatrix is a repository in which a run is recorded.
func newMatrix(t *testing.T) *repository {
	t.Helper()
	t.Setenv("CONFORMANCE_STRICT", "")
	r := newRepository(t)
	r.write("README.md", "# Caches\n"+matrixBegin+matrixEnd+"The end.\n")
	r.mod("matrix", "--reports", newRuns().write(t)).want(t, 0, "mod: redis-cluster recorded")
	return r
}

func TestMatrix(t *testing.T) {
	r := newMatrix(t)
	readme := r.read("README.md")
	for _, want := range []string{
		"# Caches\n<!-- matrix -->\n| | [redis](redis) | [simple](simple) |\n|---|---|---|\n| keeps what is set | yes | yes |\n",
		"| outlives the process | yes | no¹ |\n",
		"| `Clear` of one prefix | yes² | yes |\n",
		"| can be bounded in entries | no³ | yes |\n",
		"| longest key in bytes (any: tested to 20 KiB) | 250⁴ | any |\n",
		"| other keys that it refuses | some⁵ | none |\n",
		"1. it is a \\<map>, and \\*gone\\*\n" +
			"2. redis-cluster: no; too many nodes\n" +
			"3. maxmemory: the server's\n" +
			"4. redis-cluster: 222\n" +
			"5. such as \"a\\\\n\"\n",
		"(docs/support.html).\n<!-- /matrix -->\nThe end.\n",
	} {
		if !strings.Contains(readme, want) {
			t.Errorf("README.md has not\n%s", want)
		}
	}
	page := r.read("docs/support.html")
	for _, want := range []string{
		`<th colspan="2">redis</th><th rowspan="2">simple</th>`,
		`<th class="variant">alone</th><th class="variant">cluster</th></tr>`,
		`<tr><th scope="row">outlives the process</th><td class="yes">yes</td><td class="yes">yes</td><td class="no" title="it is a &lt;map&gt;, and *gone*"><a href="#reason-1">no<sup>1</sup></a></td></tr>`,
		`<li id="reason-1">it is a &lt;map&gt;, and *gone*</li>`,
		`id="EVI-1"`,
		`<td class="left">redis-server 1.2</td><td>` + conformance.Version + `</td><td><code>42</code></td>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has not\n%s", want)
		}
	}
	if t.Failed() {
		t.Logf("README.md:\n%s\nthe page:\n%s", readme, page)
	}
	r.mod("matrix", "--check", "--reports", newRuns().write(t)).want(t, 0)
}

// What changes from run to run, or is not there on every machine, is not stale,
// and changes no file.
func TestMatrixIsNotStale(t *testing.T) {
	for name, change := range map[string]func(runs){
		"seed and time": func(run runs) { run["redis"].Seed, run["redis"].Started = 43, time.Time{} },
		"duration":      func(run runs) { rule(run["redis"], "BAS-1").Duration = time.Hour },
		"skipped": func(run runs) {
			result := rule(run["redis"], "TTL-1")
			result.Outcome, result.Reason = conformance.Skipped, "time must really pass (-short)"
		},
		"provisional": func(run runs) {
			rule := conformance.Result{ID: "NEW-1", Provisional: true, Outcome: conformance.Fail}
			run["redis"].Results = append(run["redis"].Results, rule)
		},
		"no server": func(run runs) { delete(run, "redis-cluster") },
		"somebody else's": func(run runs) {
			other := passing("conformance_test.reference")
			run["other"] = &other
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newMatrix(t)
			before := r.git("status", "--porcelain") + r.read("docs/support.html") + r.read("tools/mod/reports/redis.json")
			run := newRuns()
			change(run)
			dir := run.write(t)
			r.mod("matrix", "--check", "--reports", dir).want(t, 0)
			r.mod("matrix", "--reports", dir).want(t, 0)
			after := r.git("status", "--porcelain") + r.read("docs/support.html") + r.read("tools/mod/reports/redis.json")
			if before != after {
				t.Errorf("before:\n%s\nafter:\n%s", before, after)
			}
		})
	}
}

func TestMatrixFindings(t *testing.T) {
	for name, c := range map[string]struct {
		repository func(*repository)
		run        func(runs)
		want       string
	}{
		"outcome": {run: func(run runs) {
			result := rule(run["redis"], "TTL-1")
			result.Outcome, result.Reason = conformance.Unsupported, "no clock"
		}, want: `redis: redis: TTL-1: recorded is "pass", the suite found "unsupported: no clock"`},
		"reason": {run: func(run runs) { rule(run["redis"], "EVI-1").Reason = "another" },
			want: `redis: EVI-1: recorded is "unsupported: maxmemory: the server's", the suite found "unsupported: another"`},
		"feature": {run: func(run runs) { lacks(run["simple"], conformance.TTL, "PER-1", "it is a <map>, and *gone*") },
			want: `simple: TTL: recorded is "pass", the suite found "unsupported: it is`},
		"limit": {run: func(run runs) { run["redis"].Limits.MaxKey = 300 },
			want: `redis: limits: recorded is {"max_key":250,`},
		"suite": {run: func(run runs) { run["redis"].Suite = "0.0.9" },
			want: "redis: version of the suite: recorded is " + conformance.Version + ", the suite found 0.0.9"},
		"no longer a rule": {run: func(run runs) { run["redis"].Results = run["redis"].Results[1:] },
			want: `the suite found nothing`},
		"new variant": {run: func(run runs) {
			tls := passing("redis-tls")
			run["redis-tls"] = &tls
		}, want: "redis-tls: not recorded"},
		"failed": {run: func(run runs) { rule(run["redis"], "BAS-1").Outcome = conformance.Fail },
			want: "1 fail, 1 unsupported"},
		"readme": {repository: func(r *repository) { r.edit("README.md", "| yes | no¹ |", "| yes | yes |") },
			want: "README.md is not what the records give"},
		"page": {repository: func(r *repository) { r.edit("docs/support.html", "too many nodes", "few nodes") },
			want: "docs/support.html is not what the records give"},
		"no page": {repository: func(r *repository) { r.remove("docs") },
			want: "docs/support.html is not what the records give"},
		"no record": {repository: func(r *repository) { r.remove("tools/mod/reports/simple.json") },
			want: "simple: no run of the suite is recorded"},
		"record without a rule": {repository: func(r *repository) {
			for _, name := range []string{"redis", "redis-cluster", "simple"} {
				r.edit("tools/mod/reports/"+name+".json", `"BAS-1"`, `"BAS-0"`)
			}
		}, want: "BAS-1 is a rule that no record has"},
		"rule that is gone": {repository: func(r *repository) { r.edit("tools/mod/reports/redis.json", `"BAS-1"`, `"BAS-0"`) },
			want: "BAS-0 is recorded, and no rule of the suite"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newMatrix(t)
			args := []string{"matrix", "--check"}
			if c.repository != nil {
				c.repository(r)
			}
			if c.run != nil {
				run := newRuns()
				c.run(run)
				args = append(args, "--reports", run.write(t))
			}
			r.mod(args...).want(t, statusFinding, c.want)
		})
	}
}

// A server that every machine of CI has may not go missing.
func TestMatrixStrict(t *testing.T) {
	r := newMatrix(t)
	run := newRuns()
	delete(run, "redis-cluster")
	dir := run.write(t)
	r.mod("matrix", "--check", "--reports", dir).want(t, 0, "redis-cluster is not in this run")
	t.Setenv("CONFORMANCE_STRICT", "1")
	r.mod("matrix", "--check", "--reports", dir).want(t, statusFinding, "remove tools/mod/reports/redis-cluster.json")
}

// What failed is no news of the backend; the rest of the run is taken.
func TestMatrixRecordsNoFailure(t *testing.T) {
	r := newMatrix(t)
	before := r.read("tools/mod/reports/redis.json")
	run := newRuns()
	rule(run["redis"], "BAS-1").Outcome = conformance.Error
	run["simple"].ServerVersion = "1.3"
	r.mod("matrix", "--reports", run.write(t)).want(t, statusFinding, "what failed is not recorded", "mod: simple recorded")
	if r.read("tools/mod/reports/redis.json") != before {
		t.Error("the run of redis that failed was recorded")
	}
	if !strings.Contains(r.read("tools/mod/reports/simple.json"), `"server_version": "1.3"`) {
		t.Error("the run of simple was not recorded")
	}
}

// A run with -short does not undo what a whole one has found.
func TestMatrixKeepsWhatIsSkipped(t *testing.T) {
	r := newMatrix(t)
	run := newRuns()
	result := rule(run["redis"], "TTL-1")
	result.Outcome, result.Reason = conformance.Skipped, "time must really pass (-short)"
	rule(run["redis"], "EVI-1").Reason = "another"
	r.mod("matrix", "--reports", run.write(t)).want(t, 0, "mod: redis recorded")
	recorded := r.read("tools/mod/reports/redis.json")
	for _, want := range []string{`"TTL-1": "pass"`, `"EVI-1": "unsupported: another"`} {
		if !strings.Contains(recorded, want) {
			t.Errorf("the record has not %s:\n%s", want, recorded)
		}
	}
}

func TestMatrixFaults(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*repository)
		want   string
	}{
		"no marks":       {func(r *repository) { r.edit("README.md", "<!-- /matrix -->", "") }, "README.md has no lines <!-- matrix --> and <!-- /matrix -->"},
		"other's record": {func(r *repository) { r.write("tools/mod/reports/files.json", `{"backend": "files"}`) }, "files.json is not of a backend that go.work lists"},
		"renamed record": {func(r *repository) { r.write("tools/mod/reports/redis-x.json", `{"backend": "redis-y"}`) }, "redis-x.json is not"},
		"broken record":  {func(r *repository) { r.write("tools/mod/reports/redis.json", "{") }, "redis.json: unexpected end"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newMatrix(t)
			c.change(r)
			r.mod("matrix", "--check").want(t, statusFault, c.want)
		})
	}
	newMatrix(t).mod("matrix", "--check", "--reports", t.TempDir()).want(t, statusFault, "has no reports")
}

// A feature without a row would be in no table.
func TestMatrixHasAllFeatures(t *testing.T) {
	report := conformance.Check(context.Background(), nothing{})
	if len(report.Features) < 8 {
		t.Fatalf("features: %+v", report.Features)
	}
	for _, f := range report.Features {
		if !slices.ContainsFunc(matrixRows, func(r row) bool { return r.Feature == f.Feature }) {
			t.Errorf("%s has no row", f.Feature)
		}
	}
}

// The name of each chapter is there, and each is one.
func TestChapters(t *testing.T) {
	seen := map[string]bool{}
	last := ""
	for _, c := range conformance.Cases() {
		prefix, _, _ := strings.Cut(c.ID, "-")
		if chapters[prefix] == "" || prefix != last && seen[prefix] {
			t.Errorf("%s: chapter %q, seen before: %v", c.ID, chapters[prefix], seen[prefix])
		}
		last, seen[prefix] = prefix, true
	}
}

// nothing is the least that is a backend.
type nothing struct{}

func (nothing) Get(context.Context, string) ([]byte, bool, error)        { return nil, false, nil }
func (nothing) Set(context.Context, string, []byte, time.Duration) error { return nil }
func (nothing) Add(context.Context, string, []byte, time.Duration) (added bool, _ error) {
	return true, nil
}
func (nothing) Delete(context.Context, string) (bool, error) { return false, nil }
func (nothing) Clear(context.Context) error                  { return nil }
func (nothing) Close() error                                 { return nil }

func TestReportsOfNoRun(t *testing.T) {
	r := newMatrix(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.mod("matrix", "--reports", dir).want(t, statusFault, "x.json: unexpected end")
}
