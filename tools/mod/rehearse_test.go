package main

import (
	"strings"
	"testing"
)

// newRehearsed is a published repository whose backends show a program.
func newRehearsed(t *testing.T) *repository {
	t.Helper()
	r := newPublished(t)
	for _, dir := range []string{"redis", "simple"} {
		r.write(dir+"/README.md", "# "+dir+"\n\n```go\nimport (\n\tcache \""+scratchRoot+"/core\"\n\t\""+scratchRoot+"/"+dir+"\"\n)\n\n"+
			"s, err := "+dir+".Open()\nc, err := cache.Open(ctx, cache.FromEnv(os.Environ()))\nfmt.Println(s)\n```\n")
	}
	for _, dir := range []string{"core", "conformance", "redis", "simple"} {
		r.edit(dir+"/CHANGELOG.md", "## v0.1.0 - 2026-01-31\n\n", "")
	}
	r.commit("Programs")
	return r
}

func TestRehearse(t *testing.T) {
	t.Parallel()
	r := newRehearsed(t)
	r.write("simple/more.go", "package simple\n\n// More is not committed.\nfunc More() {}\n")
	r.edit("simple/README.md", "fmt.Println(s)", "simple.More()")
	before := r.git("for-each-ref") + r.git("status", "--porcelain")
	out := r.mod("rehearse")
	out.want(t, 0, "rehearse "+scratchRoot+"/redis@v0.1.0 "+scratchRoot+"/core@v0.1.0: ")
	if n := strings.Count(out.stderr, "rehearse "); n != 4 {
		t.Errorf("%d programs, want one for each module:\n%s", n, out.stderr)
	}
	if after := r.git("for-each-ref") + r.git("status", "--porcelain"); after != before {
		t.Errorf("it changed the repository: before\n%safter\n%s", before, after)
	}
}

func TestRehearseFindings(t *testing.T) {
	for name, tt := range map[string]struct {
		damage func(*repository)
		want   string
	}{
		"program that does not build": {func(r *repository) {
			r.edit("redis/README.md", "redis.Open()", "redis.Shut()")
		}, "redis: the program of its README does not build from the tags: go build -o hello: "},
		"no program": {func(r *repository) {
			r.write("redis/README.md", "# redis\n")
		}, "redis: the program of its README does not build from the tags: redis/README.md has no block of Go that begins with imports"},
		"no entry in a changelog": {func(r *repository) {
			r.write("redis/CHANGELOG.md", "# Changelog\n\n## Unreleased\n")
		}, "redis/CHANGELOG.md: it has no entries under Unreleased for v0.1.0"},
		"requirement of a later release": {func(r *repository) {
			r.edit("redis/go.mod", "core v0.1.0", "core v0.2.0")
		}, "redis: requires core v0.2.0, which is not tagged (sibling)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRehearsed(t)
			tt.damage(r)
			out := r.mod("rehearse")
			if out.status == 0 || !strings.Contains(out.stdout+out.stderr, tt.want) {
				t.Errorf("status %d, want %q in\n%s%s", out.status, tt.want, out.stdout, out.stderr)
			}
		})
	}
}
