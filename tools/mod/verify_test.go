package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestVerifySound(t *testing.T) {
	r := newRepository(t)
	r.write(".github/workflows/ci.yml", "    module: [core, conformance, conformance/integration, redis, simple, tools/demo]\n"+
		"    module: ${{ fromJSON(needs.list.outputs.modules) }}\n"+
		"    modules:\n      - core\n      - conformance\n      - conformance/integration\n      - \"redis\"\n      - simple\n      - tools/demo\n    steps:\n      - run: x\n")
	r.mod("verify").want(t, 0)
	r.tagAll()
	r.mod("verify").want(t, 0)
	r.edit("core/CHANGELOG.md", "## v0.1.0", "## v0.2.0\n\n- More.\n\n## v0.1.0")
	r.edit("redis/go.mod", "core v0.1.0", "core v0.2.0")
	r.mod("verify").want(t, 0) // the release that comes next
	if out := r.mod("verify", "--json").stdout; out != "[]\n" {
		t.Errorf("as JSON: %q, want an empty list", out)
	}
}

// One thing is wrong at a time, and that one thing is found.
func TestVerifyFindings(t *testing.T) {
	const core = scratchRoot + "/core"
	for name, tt := range map[string]struct {
		damage func(*repository)
		want   finding // Text: a part
	}{
		"not in go.work": {func(r *repository) {
			r.write("tools/more/go.mod", goMod("tools/more"))
		}, finding{"tools/more", "modules", "go.work does not list it"}},
		"other path": {func(r *repository) {
			r.edit("tools/demo/go.mod", "/tools/demo", "/demo")
		}, finding{"tools/demo", "modules", "want " + scratchRoot + "/tools/demo"}},
		"not in the workflow": {func(r *repository) {
			r.write(".github/workflows/ci.yml", "      module: [core, conformance, conformance/integration, simple, tools/demo]\n")
		}, finding{"redis", "workflow", "ci.yml lists modules, and not this one"}},
		"not in the workflow's lines": {func(r *repository) {
			r.write(".github/workflows/ci.yaml", "      module:\n        - core\n        - conformance\n        - conformance/integration\n        - simple\n        - tools/demo\n")
		}, finding{"redis", "workflow", "ci.yaml lists modules, and not this one"}},
		"gone, but in the workflow": {func(r *repository) {
			r.write(".github/workflows/ci.yml", "      module: ['core', conformance, conformance/integration, redis, simple, tools/demo, etcd]\n")
		}, finding{"", "workflow", "etcd, which is no module"}},
		"not in the table": {func(r *repository) {
			r.edit("README.md", "| [redis](redis) | nothing |\n", "")
		}, finding{"redis", "readme", "no row"}},
		"gone, but in the table": {func(r *repository) {
			r.edit("README.md", "| [redis]", "| [etcd](etcd) | nothing |\n| [redis]")
		}, finding{"", "readme", "etcd, which is no backend"}},
		"no go line": {func(r *repository) {
			r.edit("tools/demo/go.mod", "go 1.25.0\n", "")
		}, finding{"tools/demo", "go", "no go line"}},
		"newer than go.work": {func(r *repository) {
			r.edit("tools/demo/go.mod", "go 1.25.0", "go 1.27.0")
		}, finding{"tools/demo", "go", "go 1.27.0 is newer than the go 1.26.0"}},
		"newer than core": {func(r *repository) {
			r.edit("simple/go.mod", "go 1.25.0", "go 1.26.0")
		}, finding{"simple", "go", "core alone, which says go 1.25.0"}},
		"no replace": {func(r *repository) {
			r.edit("tools/demo/go.mod", "replace "+core+" => ../../core\n", "")
		}, finding{"tools/demo", "requires", "replace " + core + " => ../../core"}},
		"replace of elsewhere": {func(r *repository) {
			r.edit("redis/go.mod", "../core", "../simple")
		}, finding{"redis", "requires", "replace " + core + " => ../core"}},
		"replace of others": {func(r *repository) {
			r.edit("redis/go.mod", "replace", "replace example.com/x => ../x\n\nreplace")
		}, finding{"redis", "requires", "the replace of example.com/x"}},
		"no such sibling": {func(r *repository) {
			r.edit("tools/demo/go.mod", "require", "require "+scratchRoot+"/etcd v0.1.0\n\nrequire")
		}, finding{"tools/demo", "requires", "etcd is no module of go.work"}},
		"core requires": {func(r *repository) {
			r.edit("core/go.mod", "go 1.25.0\n", "go 1.25.0\n\nrequire example.com/x v1.0.0\n")
		}, finding{"core", "requires", "example.com/x"}},
		"second client": {func(r *repository) {
			r.edit("redis/go.mod", "go 1.25.0\n", "go 1.25.0\n\nrequire (\n\tgithub.com/redis/go-redis/v9 v9.23.0\n\texample.com/x v1.0.0\n)\n")
		}, finding{"redis", "requires", "example.com/x: it may require core and github.com/redis/go-redis/v9"}},
		"client of another": {func(r *repository) {
			r.edit("simple/go.mod", "go 1.25.0\n", "go 1.25.0\n\nrequire github.com/redis/go-redis/v9 v9.23.0 // indirect\n")
		}, finding{"simple", "requires", "it may require core alone"}},
		"containers": {func(r *repository) {
			r.edit("redis/go.mod", "go 1.25.0\n", "go 1.25.0\n\nrequire github.com/testcontainers/testcontainers-go v0.43.0 // indirect\n")
		}, finding{"redis", "requires", "conformance/integration"}},
		"sibling required": {func(r *repository) {
			r.write("redis/go.mod", goMod("redis", "core", "conformance"))
		}, finding{"redis", "requires", "no sibling but core"}},
		"placeholder": {func(r *repository) {
			r.edit("redis/go.mod", "core v0.1.0", "core v0.0.0")
		}, finding{"redis", "versions", "v0.0.0 is a placeholder"}},
		"pseudo-version": {func(r *repository) {
			r.edit("redis/go.mod", "core v0.1.0", "core v0.0.0-20260131000000-abcdefabcdef")
		}, finding{"redis", "versions", "is a placeholder"}},
		"version that is not": {func(r *repository) {
			r.tagAll()
			r.edit("redis/go.mod", "core v0.1.0", "core v0.1.7")
		}, finding{"redis", "versions", "v0.1.7: there is neither a tag nor a section"}},
		"containers imported": {func(r *repository) {
			r.write("redis/server_test.go", "package redis\n\nimport _ \"github.com/testcontainers/testcontainers-go\"\n")
		}, finding{"redis", "imports", "server_test.go imports github.com/testcontainers/testcontainers-go"}},
		"core imports a backend": {func(r *repository) {
			r.write("core/core_test.go", "package cache_test\n\nimport _ \""+scratchRoot+"/simple\"\n")
		}, finding{"core", "imports", "core_test.go imports " + scratchRoot + "/simple"}},
		"conformance in a backend's tests": {func(r *repository) {
			r.write("simple/x/conformance_test.go", "package x\n\nimport _ \""+scratchRoot+"/conformance\"\n")
		}, finding{"simple", "imports", "x/conformance_test.go imports " + scratchRoot + "/conformance"}},
		"internal of another": {func(r *repository) {
			r.write("tools/demo/internal_test.go", "package main\n\nimport _ \""+core+"/internal/x\"\n")
		}, finding{"tools/demo", "imports", "internal to another module"}},
		"internal of the module around": {func(r *repository) {
			r.write("conformance/integration/x_test.go", "package integration\n\nimport _ \""+scratchRoot+"/conformance/internal/x\"\n")
		}, finding{"conformance/integration", "imports", "internal to another module"}},
		"a module inside": {func(r *repository) {
			r.write("conformance/x_test.go", "package conformance\n\nimport _ \""+scratchRoot+"/conformance/integration\"\n")
		}, finding{"conformance", "imports", "no sibling but core"}},
		"no README":         {func(r *repository) { r.remove("redis/README.md") }, finding{"redis", "files", "README.md is missing"}},
		"no README at all":  {func(r *repository) { r.remove("README.md") }, finding{"", "readme", "README.md is missing"}},
		"no doc.go":         {func(r *repository) { r.remove("redis/doc.go") }, finding{"redis", "files", "doc.go is missing"}},
		"no comment":        {func(r *repository) { r.write("redis/doc.go", "package redis\n") }, finding{"redis", "files", "comment"}},
		"no CHANGELOG":      {func(r *repository) { r.remove("core/CHANGELOG.md") }, finding{"core", "files", "CHANGELOG.md is missing"}},
		"no Unreleased":     {func(r *repository) { r.edit("core/CHANGELOG.md", "Unreleased", "Later") }, finding{"core", "files", "Unreleased"}},
		"no LICENSE":        {func(r *repository) { r.remove("core/LICENSE") }, finding{"core", "files", "LICENSE is missing"}},
		"other LICENSE":     {func(r *repository) { r.write("core/LICENSE", "Mine.\n") }, finding{"core", "files", "not that of the repository"}},
		"without the suite": {func(r *repository) { r.remove("conformance/integration/redis_test.go") }, finding{"redis", "files", "redis_test.go is missing"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepository(t)
			tt.damage(r)
			o := r.mod("verify", "--json")
			var found []finding
			if err := json.Unmarshal([]byte(o.stdout), &found); err != nil {
				t.Fatalf("%v\n%s%s", err, o.stdout, o.stderr)
			}
			if o.status != statusFinding || len(found) != 1 ||
				found[0].Module != tt.want.Module || found[0].Check != tt.want.Check || !strings.Contains(found[0].Text, tt.want.Text) {
				t.Errorf("status %d, found %+v; want %+v", o.status, found, tt.want)
			}
		})
	}
}

// What the go tool cannot use either is no finding.
func TestVerifyFaults(t *testing.T) {
	r := newRepository(t)
	r.remove("redis/go.mod")
	r.mod("verify").want(t, statusFault, "redis/go.mod")
}

// The tool's own repository.
func TestVerifyRepository(t *testing.T) {
	if o := (&repository{t, "../.."}).mod("verify"); o.status != 0 {
		t.Errorf("status %d\n%s%s", o.status, o.stdout, o.stderr)
	}
}
