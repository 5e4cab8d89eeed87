package main

import (
	"strings"
	"testing"
)

func TestVerifySound(t *testing.T) {
	r := newRepository(t)
	r.mod("verify").want(t, 0)
	r.edit("conformance/go.mod", "/conformance\n", "/conformance/v2\n")
	r.edit("conformance/integration/go.mod", scratchRoot+"/conformance ", scratchRoot+"/conformance/v2 ")
	r.edit("conformance/integration/go.mod", "/v2 v0.1.0", "/v2 v2.0.0")
	r.mod("verify").want(t, 0)
}

// One thing is wrong in each case, and it is the only one found.
func TestVerifyFindings(t *testing.T) {
	const core = scratchRoot + "/core"
	for name, tt := range map[string]struct {
		damage func(*repository)
		want   string // beginning of the only finding
	}{
		"not in go.work": {func(r *repository) {
			r.write("tools/more/go.mod", goMod("tools/more"))
		}, "tools/more: go.work does not list it"},
		"other path": {func(r *repository) {
			r.edit("tools/demo/go.mod", "/tools/demo", "/demo")
		}, "tools/demo: its path is " + scratchRoot + "/demo, want " + scratchRoot + "/tools/demo"},
		"not in the table": {func(r *repository) {
			r.edit("README.md", "| [redis](redis) | nothing |\n", "")
		}, "redis: README.md has no row"},
		"only in the table": {func(r *repository) {
			r.edit("README.md", "| [redis]", "| [etcd](etcd) | nothing |\n| [redis]")
		}, "repository: README.md has a row for etcd, which is not a module"},
		"newer than core": {func(r *repository) {
			r.edit("simple/go.mod", "go 1.25.0", "go 1.26.0")
		}, "simple: needs go 1.26.0, but requires only core, which needs go 1.25.0"},
		"no replace": {func(r *repository) {
			r.edit("tools/demo/go.mod", "replace "+core+" => ../../core\n", "")
		}, "tools/demo: go.mod does not replace " + core + " by its directory"},
		"replace by another directory": {func(r *repository) {
			r.edit("redis/go.mod", "../core", "../simple")
		}, "redis: go.mod does not replace " + core + " by its directory"},
		"replace of others": {func(r *repository) {
			r.edit("redis/go.mod", "replace", "replace example.com/x => ../x\n\nreplace")
		}, "redis: users do not get the replace of example.com/x"},
		"no such sibling": {func(r *repository) {
			r.edit("tools/demo/go.mod", "require", "require "+scratchRoot+"/etcd v0.1.0\n\nrequire")
		}, "tools/demo: " + scratchRoot + "/etcd is not a module of go.work"},
		"core requires": {func(r *repository) {
			r.edit("core/go.mod", "go 1.25.0\n", "go 1.25.0\n\nrequire example.com/x v1.0.0\n")
		}, "core: requires example.com/x; allowed: " + core},
		"second client": {func(r *repository) {
			r.edit("redis/go.mod", "go 1.25.0\n", "go 1.25.0\n\nrequire (\n\tgithub.com/redis/go-redis/v9 v9.23.0\n\texample.com/x v1.0.0\n)\n")
		}, "redis: requires example.com/x; allowed: " + core + ", github.com/redis/go-redis/v9"},
		"client of another": {func(r *repository) {
			r.edit("simple/go.mod", "go 1.25.0\n", "go 1.25.0\n\nrequire github.com/redis/go-redis/v9 v9.23.0\n")
		}, "simple: requires github.com/redis/go-redis/v9; allowed: " + core},
		"sibling required": {func(r *repository) {
			r.write("redis/go.mod", goMod("redis", "core", "conformance"))
		}, "redis: requires " + scratchRoot + "/conformance; allowed: " + core},
		"parent of another": {func(r *repository) {
			r.write("simple/go.mod", goMod("simple", "core", "redis"))
		}, "simple: requires " + scratchRoot + "/redis; allowed: " + core},
		"no README":     {func(r *repository) { r.remove("redis/README.md") }, "redis: README.md is missing"},
		"no doc.go":     {func(r *repository) { r.remove("redis/doc.go") }, "redis: doc.go is missing"},
		"no comment":    {func(r *repository) { r.write("redis/doc.go", "package redis\n") }, "redis: doc.go does not begin"},
		"no CHANGELOG":  {func(r *repository) { r.remove("core/CHANGELOG.md") }, "core: CHANGELOG.md is missing"},
		"no Unreleased": {func(r *repository) { r.edit("core/CHANGELOG.md", "Unreleased", "Later") }, "core: CHANGELOG.md has no section Unreleased"},
		"no LICENSE":    {func(r *repository) { r.remove("core/LICENSE") }, "core: LICENSE is missing"},
		"other LICENSE": {func(r *repository) { r.write("core/LICENSE", "Mine.\n") }, "core: LICENSE is not that"},
		"not in dependabot": {func(r *repository) {
			r.edit(dependabotFile, "      - /redis\n", "")
		}, "redis: .github/dependabot.yml names it 0 times, want once (dependabot)"},
		"twice in dependabot": {func(r *repository) {
			r.edit(dependabotFile, "      - /redis\n", "      - /redis\n      - /redis\n")
		}, "redis: .github/dependabot.yml names it 2 times"},
		"only in dependabot": {func(r *repository) {
			r.edit(dependabotFile, "      - /redis\n", "      - /etcd\n      - /redis\n")
		}, "repository: .github/dependabot.yml names /etcd, which is not a module"},
		"no groups": {func(r *repository) {
			r.edit(dependabotFile, "      - /tools/demo\n    groups: {all: {}}\n", "      - /tools/demo\n")
		}, "repository: .github/dependabot.yml: the update of /conformance/integration, /tools/demo has no groups"},
		"action at a tag": {func(r *repository) {
			r.edit(".github/workflows/ci.yml", "0123456789012345678901234567890123456789 # v1.2.3", "v1")
		}, "repository: ci.yml: \"a/b@v1\" is not an action at a commit hash"},
		"action without its version": {func(r *repository) {
			r.edit(".github/workflows/ci.yml", " # v1.2.3", "")
		}, "repository: ci.yml: \"a/b@0123456789012345678901234567890123456789\" is not an action"},
		"without the suite": {func(r *repository) { r.remove("conformance/integration/redis_test.go") }, "redis: ../conformance/integration/redis_test.go is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepository(t)
			tt.damage(r)
			o := r.mod("verify")
			if o.status != statusFindings || !strings.HasPrefix(o.stdout, tt.want) || strings.Count(o.stdout, "\n") != 1 {
				t.Errorf("status %d, found\n%s%swant %s", o.status, o.stdout, o.stderr, tt.want)
			}
		})
	}
}

// What the go command cannot use either is an error.
func TestVerifyFaults(t *testing.T) {
	for name, damage := range map[string]func(*repository){
		"redis/go.mod": func(r *repository) { r.remove("redis/go.mod") },
		"no go line":   func(r *repository) { r.edit("tools/demo/go.mod", "go 1.25.0\n", "") },
		"README.md":    func(r *repository) { r.remove("README.md") },
		"no module core": func(r *repository) {
			r.edit("go.work", "\t./core\n", "")
		},
	} {
		r := newRepository(t)
		damage(r)
		r.mod("verify").want(t, statusFailed, name)
	}
}

// The repository of this tool.
func TestVerifyRepository(t *testing.T) {
	(&repository{t, "../.."}).mod("verify").want(t, 0)
}
