package main

import (
	"context"
	"strings"
	"testing"
)

func TestTag(t *testing.T) {
	r := newRepository(t)
	r.mod("tag").want(t, 0, "would tag", "core/v0.1.0\n  conformance/v0.1.0\n  redis/v0.1.0\n  simple/v0.1.0\n")
	if tags := r.git("tag"); tags != "" {
		t.Fatalf("the dry run tagged %s", tags)
	}
	r.mod("tag", "--write", "redis", "core").want(t, 0, "tagged:\n  core/v0.1.0\n  redis/v0.1.0\n", "git push --atomic origin core/v0.1.0 redis/v0.1.0\n")
	if tags := r.git("tag"); tags != "core/v0.1.0\nredis/v0.1.0\n" {
		t.Errorf("tags: %s", tags)
	}
	if text := r.git("for-each-ref", "--format=%(objecttype) %(contents)", "refs/tags/redis/v0.1.0"); !strings.HasPrefix(text, "tag redis/v0.1.0\n\n- First version of redis.\n") {
		t.Errorf("the tag of redis: %s", text)
	}
	r.mod("tag", "--write").want(t, 0, "tagged:\n  conformance/v0.1.0\n  simple/v0.1.0\n")
	r.mod("tag").want(t, 0, "nothing to release")
}

func TestTagJSON(t *testing.T) {
	r := newRepository(t)
	r.mod("tag", "--json", "core").want(t, 0, `"tag": "core/v0.1.0"`, `"notes": "- First version of core."`, `"written": false`)
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
		"existing tag":     {func(r *repository) { r.git("tag", "core/v0.1.0") }, "core@v0.1.0", "core/v0.1.0 is a tag already (exists)"},
		"untagged sibling": {func(r *repository) {}, "redis", "redis: it requires core v0.1.0, which is not tagged (sibling)"},
		"no section": {func(r *repository) {
			r.edit("core/CHANGELOG.md", "## v0.1.0 - 2026-01-31\n", "")
			r.commit("x")
		}, "core", "core: CHANGELOG.md says nothing under ## v0.1.0 (changelog)"},
		"empty section": {func(r *repository) {
			r.edit("core/CHANGELOG.md", "- First version of core.\n", "")
			r.commit("x")
		}, "core", "core: CHANGELOG.md says nothing under ## v0.1.0 (changelog)"},
		"too low a version": {func(r *repository) {
			r.tagAll()
			r.edit("core/cache.go", "a, b string", "a, b string, more ...string")
			r.edit("core/CHANGELOG.md", "## v0.1.0", "## v0.1.1\n\n- More.\n\n## v0.1.0")
			r.commit("x")
		}, "core@v0.1.1", "v0.1.1 is too low, want at least v0.2.0: breaking change (plan)"},
		"version of another path": {func(r *repository) {
			r.edit("core/CHANGELOG.md", "## v0.1.0", "## v2.0.0\n\n- All new.\n\n## v0.1.0")
			r.commit("x")
		}, "core@v2.0.0", "v2.0.0 does not go with the path " + scratchRoot + "/core (path)"},
		"lagging sibling": {func(r *repository) {
			r.tagAll()
			r.edit("core/cache.go", "// Join", "// Upper is new.\nfunc Upper() string { return \"\" }\n\n// Join")
			r.edit("redis/redis.go", `cache.Join("a", "b")`, "cache.Upper()")
			r.edit("redis/CHANGELOG.md", "## v0.1.0", "## v0.1.1\n\n- Upper.\n\n## v0.1.0")
			r.commit("x")
		}, "redis", "redis: it does not build with core v0.1.0, which it requires: redis.go:6:44: undefined: cache.Upper (sibling)"},
		"what verify finds": {func(r *repository) {
			r.edit("core/doc.go", "Package", "The package")
			r.commit("x")
		}, "core", "core: doc.go has no comment"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepository(t)
			tt.prepare(r)
			before := r.git("tag")
			r.mod("tag", "--write", tt.args).want(t, statusFinding, tt.want)
			if after := r.git("tag"); after != before {
				t.Errorf("tags before:\n%safter:\n%s", before, after)
			}
		})
	}
}

func TestTagRefusesWhatCheckFinds(t *testing.T) {
	r := newRepository(t)
	asked := ""
	tryOut := func(_ context.Context, _ *workspace, modules []module) ([]finding, error) {
		for _, m := range modules {
			asked += m.Dir + " "
		}
		return []finding{{"core", "build", "it does not"}}, nil
	}
	r.modWith(tryOut, "tag", "--write", "core", "simple").want(t, statusFinding, "core: it does not (build)")
	if tags := r.git("tag"); tags != "" || asked != "core simple " {
		t.Errorf("tags %q, checked %q", tags, asked)
	}
}

func TestTagArguments(t *testing.T) {
	r := newRepository(t)
	r.tagAll()
	for arg, want := range map[string]string{
		"etcd":          "etcd is no released module",
		"tools/demo":    "tools/demo is no released module",
		"core@1.2.3":    `"1.2.3" is no version`,
		"core@v1.2":     `"v1.2" is no version`,
		"core@v1.2.3+x": `"v1.2.3+x" is no version`,
		"core":          "core: nothing to release: unchanged",
	} {
		r.mod("tag", arg).want(t, statusFault, want)
	}
}
