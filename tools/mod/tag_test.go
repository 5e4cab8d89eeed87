package main

import (
	"context"
	"strings"
	"testing"

	"github.com/cachebackends/cachebackends/tools/mod/internal/repo"
)

// tag calls the command tag, for which check finds nothing.
func (r *repository) tag(args ...string) outcome {
	r.t.Helper()
	check := func(context.Context, *repo.Repo, []repo.Module) (repo.Findings, error) { return nil, nil }
	return r.modWith(check, append([]string{"tag"}, args...)...)
}

func TestTag(t *testing.T) {
	r := newRepository(t)
	r.tag().want(t, 0, "would tag (with --write):\n  core/v0.1.0\n  conformance/v0.1.0\n  redis/v0.1.0\n  simple/v0.1.0\n")
	if tags := r.git("tag"); tags != "" {
		t.Fatalf("the dry run tagged %s", tags)
	}
	r.tag("--write", "redis", "core").want(t, 0, "tagged:\n  core/v0.1.0\n  redis/v0.1.0\n", "git push --atomic origin core/v0.1.0 redis/v0.1.0\n")
	if tags := r.git("tag"); tags != "core/v0.1.0\nredis/v0.1.0\n" {
		t.Errorf("tags: %s", tags)
	}
	if text := r.git("for-each-ref", "--format=%(objecttype) %(contents)", "refs/tags/redis/v0.1.0"); !strings.HasPrefix(text, "tag redis/v0.1.0\n\n- First version of redis.\n") {
		t.Errorf("the tag of redis: %s", text)
	}
	r.tag("--write").want(t, 0, "tagged:\n  conformance/v0.1.0\n  simple/v0.1.0\n")
	r.tag().want(t, 0, "nothing to release")
}

// Each refusal leaves no tag behind.
func TestTagRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		prepare func(*repository)
		args    string
		want    string
	}{
		"dirty tree":       {func(r *repository) { r.edit("LICENSE", "you", "all") }, "core", " M LICENSE"},
		"untracked file":   {func(r *repository) { r.write("core/new.go", "package cache\n") }, "core", "?? core/new.go"},
		"existing tag":     {func(r *repository) { r.git("tag", "core/v0.1.0") }, "core@v0.1.0", "the tag core/v0.1.0 exists (exists)"},
		"untagged sibling": {func(r *repository) {}, "redis", "redis: requires core v0.1.0, which is not tagged (sibling)"},
		"no section": {func(r *repository) {
			r.edit("core/CHANGELOG.md", "## v0.1.0 - 2026-01-31\n", "")
			r.commit("x")
		}, "core", "core: CHANGELOG.md has nothing under ## v0.1.0: go run ./tools/mod changelog (changelog)"},
		"empty section": {func(r *repository) {
			r.edit("core/CHANGELOG.md", "- First version of core.\n", "")
			r.commit("x")
		}, "core", "core: CHANGELOG.md has nothing under ## v0.1.0: go run ./tools/mod changelog (changelog)"},
		"too low a version": {func(r *repository) {
			r.tagAll()
			r.edit("core/cache.go", "a, b string", "a, b string, more ...string")
			r.edit("core/CHANGELOG.md", "## v0.1.0", "## v0.1.1\n\n- More.\n\n## v0.1.0")
			r.commit("x")
		}, "core@v0.1.1", "v0.1.1 is too low: at least v0.2.0 (breaking change) (plan)"},
		"version of another path": {func(r *repository) {
			r.edit("core/CHANGELOG.md", "## v0.1.0", "## v2.0.0\n\n- All new.\n\n## v0.1.0")
			r.commit("x")
		}, "core@v2.0.0", "v2.0.0 does not match the path " + scratchRoot + "/core (path)"},
		"no report": {func(r *repository) {
			r.remove("docs/support/simple.json")
			r.commit("x")
		}, "simple", "simple: docs/support has no report of the suite: make matrix (support)"},
		"what verify finds": {func(r *repository) {
			r.edit("core/doc.go", "Package", "The package")
			r.commit("x")
		}, "core", "core: doc.go does not begin with // Package"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepository(t)
			tt.prepare(r)
			before := r.git("tag")
			r.tag("--write", tt.args).want(t, statusFindings, tt.want)
			if after := r.git("tag"); after != before {
				t.Errorf("tags before:\n%safter:\n%s", before, after)
			}
		})
	}
}

func TestTagRefusesWhatCheckFinds(t *testing.T) {
	r := newRepository(t)
	asked := ""
	check := func(_ context.Context, _ *repo.Repo, modules []repo.Module) (repo.Findings, error) {
		for _, m := range modules {
			asked += m.Dir + " "
		}
		return repo.Findings{{Module: "core", Check: "build", Text: "it does not"}}, nil
	}
	r.modWith(check, "tag", "--write", "core", "simple").want(t, statusFindings, "core: it does not (build)")
	if tags := r.git("tag"); tags != "" || asked != "core simple " {
		t.Errorf("tags %q, checked %q", tags, asked)
	}
}

func TestTagArguments(t *testing.T) {
	r := newRepository(t)
	r.tagAll()
	for arg, want := range map[string]string{
		"etcd":          "etcd is not a released module",
		"tools/demo":    "tools/demo is not a released module",
		"core@1.2.3":    `"1.2.3" is not a version`,
		"core@v1.2":     `"v1.2" is not a version`,
		"core@v1.2.3+x": `"v1.2.3+x" is not a version`,
		"core":          "core: nothing to release: unchanged",
	} {
		r.tag(arg).want(t, statusFailed, want)
	}
}
