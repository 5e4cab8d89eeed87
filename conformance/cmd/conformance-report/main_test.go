package main

import (
	"bytes"
	"html"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance"
)

// passing returns the report of a backend that passes all rules.
func passing(name string) conformance.Report {
	r := conformance.Report{
		Suite: conformance.Version, Backend: name, Server: name + "-server", ServerVersion: "1.2", Seed: 42, Started: time.Now(),
		Limits: conformance.Limits{Resolution: time.Millisecond},
	}
	for _, f := range []conformance.Feature{conformance.Storage, conformance.PrefixClear, conformance.TTL, conformance.Persistence, conformance.Threshold, "Teleport"} {
		r.Features = append(r.Features, conformance.Support{Feature: f, Outcome: conformance.Pass})
	}
	for _, c := range conformance.Cases() {
		r.Results = append(r.Results, conformance.Result{
			ID: c.ID, Name: c.Name, Rule: c.Rule, Outcome: conformance.Pass, Provisional: c.Provisional, Duration: time.Second,
		})
	}
	return r
}

// lacks removes a feature, and the rule with id, from a report.
func lacks(r *conformance.Report, feature conformance.Feature, id, reason string) {
	i := slices.IndexFunc(r.Features, func(s conformance.Support) bool { return s.Feature == feature })
	r.Features[i].Outcome, r.Features[i].Reason = conformance.Unsupported, reason
	result := rule(r, id)
	result.Outcome, result.Reason = conformance.Unsupported, reason
}

func rule(r *conformance.Report, id string) *conformance.Result {
	return &r.Results[slices.IndexFunc(r.Results, func(result conformance.Result) bool { return result.ID == id })]
}

// reportsOf are the reports of one run, by backend.
type reportsOf map[string]*conformance.Report

func newRun() reportsOf {
	simple, redis, cluster := passing("simple"), passing("redis"), passing("redis-cluster")
	lacks(&simple, conformance.Persistence, "PER-1", "it is a <map>, and *gone*")
	lacks(&redis, conformance.Threshold, "EVI-1", "maxmemory: the server's")
	lacks(&cluster, conformance.Threshold, "EVI-1", "maxmemory: the server's")
	lacks(&cluster, conformance.PrefixClear, "CLR-2", "too many nodes")
	redis.Limits.MaxKey, cluster.Limits.MaxKey = 250, 222
	redis.Limits.RefusedKeys, cluster.Limits.RefusedKeys = []string{`"a\n"`}, []string{`"a\n"`}
	redis.Traits = map[conformance.Trait]string{conformance.ServerStartsTTL: "its clock decides"}
	return reportsOf{"simple": &simple, "redis": &redis, "redis-cluster": &cluster}
}

func (run reportsOf) write(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, r := range run {
		if _, err := r.WriteFile(dir); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// project is a directory with a README, kept reports and a page, and the
// directory redis.
type project struct {
	t   *testing.T
	dir string
}

// newProject returns a project into which newRun was merged.
func newProject(t *testing.T) project {
	p := project{t, t.TempDir()}
	p.put("README.md", "# Caches\n"+matrixBegin+matrixEnd+"The end.\n")
	if err := os.Mkdir(p.path("redis"), 0o755); err != nil {
		t.Fatal(err)
	}
	p.report(0, "", "-merge", newRun().write(t))
	return p
}

func (p project) path(name string) string { return filepath.Join(p.dir, name) }

func (p project) put(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(p.path(name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p project) text(name string) string {
	p.t.Helper()
	text, err := os.ReadFile(p.path(name))
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

func (p project) edit(name, before, after string) {
	p.t.Helper()
	text := p.text(name)
	if !strings.Contains(text, before) {
		p.t.Fatalf("%s has no %q", name, before)
	}
	p.put(name, strings.ReplaceAll(text, before, after))
}

// report runs the command over the project. Its output must contain want and, if
// want is empty, be empty.
func (p project) report(status int, want string, flags ...string) {
	p.t.Helper()
	var out bytes.Buffer
	args := slices.Concat([]string{"-readme", p.path("README.md"), "-o", p.path("docs/support.html")}, flags, []string{p.path("kept")})
	if got := run(args, &out, &out); got != status || !strings.Contains(out.String(), want) || want == "" && out.Len() > 0 {
		p.t.Fatalf("status %d, output:\n%s\nwant %d, %q", got, &out, status, want)
	}
}

// A README in another directory links to the same directories.
func TestSecondReadme(t *testing.T) {
	p := newProject(t)
	p.put("docs/choosing.md", "<!-- matrix -->\n<!-- /matrix -->\n")
	p.report(0, "", "-readme", p.path("docs/choosing.md"))
	if text := p.text("docs/choosing.md"); !strings.Contains(text, "| [redis](../redis) | simple |") || !strings.Contains(text, "[support.html](support.html)") {
		t.Errorf("docs/choosing.md:\n%s", text)
	}
	p.report(0, "", "-readme", p.path("docs/choosing.md"), "-check")
}

func TestReport(t *testing.T) {
	p := newProject(t)
	readme := p.text("README.md")
	for _, want := range []string{
		"# Caches\n<!-- matrix -->\n| | [redis](redis) | simple |\n|---|---|---|\n| storage | yes | yes |\n| `Clear` of one prefix | yes¹ | yes |\n",
		"| persistence after the process exits | yes | no² |\n",
		"| bound on the number of entries | no³ | yes |\n| Teleport | yes | yes |\n",
		"| maximum key length in bytes (any: tested to 20 KiB) | 250⁴ | any |\n",
		"| other rejected keys | some⁵ | none |\n| maximum staleness after expiry | 1ms | 1ms |\n",
		"| TTL counted from the arrival at the server | yes⁶ ⁷ | no |\n| tested with | redis-server 1.2, redis-cluster-server 1.2 | simple-server 1.2 |\n\n1. redis-cluster: no; too many nodes\n" +
			"2. it is a \\<map>, and \\*gone\\*\n" +
			"3. maxmemory: the server's\n" +
			"4. redis-cluster: 222\n" +
			"5. such as \"a\\\\n\"\n" +
			"6. its clock decides\n" +
			"7. redis-cluster: no\n\n",
		"[docs/support.html](docs/support.html).\n<!-- /matrix -->\nThe end.\n",
	} {
		if !strings.Contains(readme, want) {
			t.Errorf("README.md lacks\n%s", want)
		}
	}
	page := p.text("docs/support.html")
	for _, want := range []string{
		`<th colspan="2">redis</th><th rowspan="2">simple</th>`,
		`<th class="variant">standard</th><th class="variant">cluster</th></tr>`,
		`<tr><th scope="row">persistence after the process exits</th><td class="yes">yes</td><td class="yes">yes</td><td class="no" title="it is a &lt;map&gt;, and *gone*"><a href="#reason-2">no<sup>2</sup></a></td></tr>`,
		`<li id="reason-2">it is a &lt;map&gt;, and *gone*</li>`,
		`id="EVI-1"`,
		`<td class="left">redis-server 1.2</td><td>` + conformance.Version + `</td><td><code>42</code></td>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks\n%s", want)
		}
	}
	if t.Failed() {
		t.Logf("README.md:\n%s\nthe page:\n%s", readme, page)
	}
	p.report(0, "", "-check", "-strict", "-merge", newRun().write(t))
}

// Reports as the suite wrote them give the same files as those that were merged,
// and a failure is shown.
func TestReportOfRun(t *testing.T) {
	p := newProject(t)
	readme, page := p.text("README.md"), p.text("docs/support.html")
	run := newRun()
	if err := os.RemoveAll(p.path("kept")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(run.write(t), p.path("kept")); err != nil {
		t.Fatal(err)
	}
	p.report(0, "")
	if p.text("README.md") != readme || p.text("docs/support.html") != page {
		t.Errorf("README.md:\n%s\nthe page:\n%s", p.text("README.md"), p.text("docs/support.html"))
	}
	result := rule(run["simple"], "BAS-1")
	result.Outcome, result.Reason = conformance.Fail, "\n  got   1\n  want  2"
	if _, err := run["simple"].WriteFile(p.path("kept")); err != nil {
		t.Fatal(err)
	}
	p.report(0, "")
	if want := `<td class="failed" title="got 1 want 2">`; !strings.Contains(p.text("docs/support.html"), want) {
		t.Errorf("the page lacks %s", want)
	}
}

// Each rule has a page, which the page of all rules links to.
func TestRulePages(t *testing.T) {
	p := newProject(t)
	rules := []string{"-rules", p.path("docs/rules")}
	p.report(0, "", rules...)
	for _, c := range conformance.Cases() {
		page := html.UnescapeString(p.text("docs/rules/" + c.ID + ".html"))
		for _, want := range []string{c.Rule, c.Why, `<a href="../support.html#` + c.ID + `">`} {
			if !strings.Contains(page, want) {
				t.Errorf("the page of %s lacks %s", c.ID, want)
			}
		}
		if link := `<a href="rules/` + c.ID + `.html">`; !strings.Contains(p.text("docs/support.html"), link) {
			t.Errorf("docs/support.html lacks %s", link)
		}
	}
	for page, want := range map[string]string{
		"EVI-1":  `<tr><th scope="row">redis</th><td class="no">not supported</td><td>redis-server 1.2</td><td>` + conformance.Version + `</td><td>maxmemory: the server&#39;s</td></tr>`,
		"BAS-3":  "<li>Set keeps the old TTL</li>",
		"PER-1":  "For backends that support: persistence after the process exits.",
		"DEC-1":  `<a href="BAS-1.html">next: BAS-1</a>`,
		"TTL-16": `<td class="yes">holds</td>`,
	} {
		if text := p.text("docs/rules/" + page + ".html"); !strings.Contains(text, want) {
			t.Errorf("the page of %s lacks %s:\n%s", page, want, text)
		}
	}
	p.put("docs/rules/XYZ-1.html", "")
	p.put("docs/rules/style.html", "")
	p.report(statusFindings, "XYZ-1.html is about a rule that the suite does not have", append(rules, "-check")...)
	p.report(0, "", rules...)
	if _, err := os.Stat(p.path("docs/rules/XYZ-1.html")); err == nil {
		t.Error("the page of a rule that does not exist was kept")
	}
	p.text("docs/rules/style.html")
	p.edit("docs/rules/BAS-3.html", "Set keeps", "Set drops")
	p.report(statusFindings, "BAS-3.html is stale", append(rules, "-check")...)
}

// Facts that differ in every run, or are absent on some machines, change no file.
func TestMergeChangesNothing(t *testing.T) {
	for name, change := range map[string]func(reportsOf){
		"seed and time": func(run reportsOf) { run["redis"].Seed, run["redis"].Started = 43, time.Time{} },
		"duration":      func(run reportsOf) { rule(run["redis"], "BAS-1").Duration = time.Hour },
		"skipped": func(run reportsOf) {
			result := rule(run["redis"], "TTL-1")
			result.Outcome, result.Reason = conformance.Skipped, "time must really pass (-short)"
		},
		"provisional": func(run reportsOf) {
			rule := conformance.Result{ID: "NEW-1", Provisional: true, Outcome: conformance.Fail}
			run["redis"].Results = append(run["redis"].Results, rule)
		},
		"no server": func(run reportsOf) { delete(run, "redis-cluster") },
	} {
		t.Run(name, func(t *testing.T) {
			p := newProject(t)
			files := func() string {
				return p.text("README.md") + p.text("docs/support.html") + p.text("kept/redis.json") + p.text("kept/redis-cluster.json")
			}
			before := files()
			run := newRun()
			change(run)
			p.report(0, "", "-merge", run.write(t))
			if after := files(); after != before {
				t.Errorf("before:\n%s\nafter:\n%s", before, after)
			}
		})
	}
}

func TestCheckFindings(t *testing.T) {
	for name, c := range map[string]struct {
		project func(project)
		run     func(reportsOf)
		want    string
	}{
		"outcome": {run: func(run reportsOf) {
			result := rule(run["redis"], "TTL-1")
			result.Outcome, result.Reason = conformance.Unsupported, "no clock"
		}, want: `redis: TTL-1: "pass" is kept, the run found "unsupported: no clock"`},
		"reason": {run: func(run reportsOf) { rule(run["redis"], "EVI-1").Reason = "another" },
			want: `redis: EVI-1: "unsupported: maxmemory: the server's" is kept, the run found "unsupported: another"`},
		"feature": {run: func(run reportsOf) { lacks(run["simple"], conformance.TTL, "PER-1", "it is a <map>, and *gone*") },
			want: `simple: feature TTL: "pass" is kept, the run found "unsupported: it is`},
		"limit": {run: func(run reportsOf) { run["redis"].Limits.MaxKey = 300 },
			want: `redis: limits: "{\"max_key\":250,`},
		"trait": {run: func(run reportsOf) { run["redis"].Traits = nil },
			want: `redis: trait ServerStartsTTL: "its clock decides" is kept, the run found nothing`},
		"suite": {run: func(run reportsOf) { run["redis"].Suite = "0.0.9" },
			want: `redis: version of the suite: "` + conformance.Version + `" is kept, the run found "0.0.9"`},
		"removed rule": {run: func(run reportsOf) { run["redis"].Results = run["redis"].Results[1:] },
			want: `the run found nothing`},
		"new variant": {run: func(run reportsOf) {
			tls := passing("redis-tls")
			run["redis-tls"] = &tls
		}, want: "redis-tls is not in "},
		"failed": {run: func(run reportsOf) { rule(run["redis"], "BAS-1").Outcome = conformance.Fail },
			want: "1 fail, 1 unsupported"},
		"missing server": {run: func(run reportsOf) { delete(run, "redis-cluster") },
			want: "redis-cluster is not in this run; if it no longer exists, remove"},
		"README": {project: func(p project) { p.edit("README.md", "| yes | no² |", "| yes | yes |") },
			want: "README.md is stale"},
		"page": {project: func(p project) { p.edit("docs/support.html", "too many nodes", "few nodes") },
			want: "docs/support.html is stale"},
		"no page": {project: func(p project) { os.RemoveAll(p.path("docs")) },
			want: "docs/support.html is stale"},
		"unknown rule": {project: func(p project) { p.edit("kept/redis.json", `"BAS-1"`, `"BAS-0"`) },
			want: "redis: the suite has no rule BAS-0"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProject(t)
			flags := []string{"-check", "-strict"}
			if c.project != nil {
				c.project(p)
			}
			if c.run != nil {
				run := newRun()
				c.run(run)
				flags = append(flags, "-merge", run.write(t))
			}
			p.report(statusFindings, c.want, flags...)
		})
	}
}

// Without -strict a server may be missing. The reports of others, such as the
// tests of the suite, may be in the same directory.
func TestCheckNotes(t *testing.T) {
	p := newProject(t)
	run := newRun()
	delete(run, "redis-cluster")
	p.report(0, "redis-cluster is not in this run and not compared", "-check", "-merge", run.write(t))
	other := passing("conformance_test.reference")
	run = newRun()
	run["other"] = &other
	p.report(0, "conformance_test.reference is not in ", "-check", "-strict", "-merge", run.write(t))
}

// A report with failures is not merged, the other reports of the run are.
func TestMergeWithFailure(t *testing.T) {
	p := newProject(t)
	before := p.text("kept/redis.json")
	run := newRun()
	rule(run["redis"], "BAS-1").Outcome = conformance.Error
	run["simple"].ServerVersion = "1.3"
	p.report(statusFindings, "redis: ", "-merge", run.write(t))
	if p.text("kept/redis.json") != before {
		t.Error("the report of redis, which failed, was merged")
	}
	if !strings.Contains(p.text("kept/simple.json"), `"server_version": "1.3"`) {
		t.Error("the report of simple was not merged")
	}
}

// A run with -short does not replace results of a whole one.
func TestMergeKeepsSkipped(t *testing.T) {
	p := newProject(t)
	run := newRun()
	result := rule(run["redis"], "TTL-1")
	result.Outcome, result.Reason = conformance.Skipped, "time must really pass (-short)"
	rule(run["redis"], "EVI-1").Reason = "another"
	p.report(0, "", "-merge", run.write(t))
	kept := p.text("kept/redis.json")
	for _, want := range []string{`"TTL-1": "pass"`, `"EVI-1": "unsupported: another"`} {
		if !strings.Contains(kept, want) {
			t.Errorf("the report lacks %s:\n%s", want, kept)
		}
	}
}

func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		change func(project)
		want   string
	}{
		"no marks":       {func(p project) { p.edit("README.md", "<!-- /matrix -->", "") }, "README.md: no lines <!-- matrix --> and <!-- /matrix -->"},
		"another file":   {func(p project) { p.put("kept/x.json", `{"name": "files"}`) }, "x.json: not a report of the conformance suite"},
		"malformed file": {func(p project) { p.put("kept/redis.json", "{") }, "redis.json: unexpected end"},
		"no reports":     {func(p project) { os.RemoveAll(p.path("kept")) }, "kept has no reports"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProject(t)
			c.change(p)
			p.report(statusFailed, c.want, "-check")
		})
	}
	p := newProject(t)
	p.report(statusFailed, "has no reports", "-merge", t.TempDir())
	p.report(statusFailed, "usage: conformance-report [flags] DIRECTORY", "one too many")
	p.report(statusFailed, "flag provided but not defined: -x", "-x")
	p.report(0, "usage: ", "-help")
}

// Every group of rules has a heading, and its rules are together.
func TestChapters(t *testing.T) {
	seen := map[string]bool{}
	last := ""
	for _, c := range conformance.Cases() {
		prefix, _, _ := strings.Cut(c.ID, "-")
		if chapterNames[prefix] == "" || prefix != last && seen[prefix] {
			t.Errorf("%s: heading %q, seen before: %v", c.ID, chapterNames[prefix], seen[prefix])
		}
		last, seen[prefix] = prefix, true
	}
}
