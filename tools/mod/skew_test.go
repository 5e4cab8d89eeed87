package main

import (
	"strings"
	"testing"
)

// newSkewed is a repository whose tests ask core what it joins.
func newSkewed(t *testing.T) *repository {
	t.Helper()
	r := newPublished(t)
	test := `package NAME_test

import (
	"testing"

	"` + scratchRoot + `/DIR"
)

func TestOpen(t *testing.T) {
	if s, _ := DIR.Open(); s != "ab" {
		t.Errorf("opened %q", s)
	}
}
`
	r.write("redis/redis_test.go", strings.NewReplacer("NAME", "redis", "DIR", "redis").Replace(test))
	for _, dir := range []string{"redis", "simple"} {
		r.write("conformance/integration/"+dir+"_test.go", strings.NewReplacer("NAME", "integration", "DIR", dir).Replace(test))
	}
	r.write("conformance/integration/redis_test.go", r.read("conformance/integration/redis_test.go")+"\nconst fromRedis = 1\n")
	r.write("conformance/integration/redis_more_test.go", "package integration_test\n\nconst _ = fromRedis\n")  // without an import of redis
	r.write("conformance/integration/uses_test.go", "package integration_test\n\nconst fromUses = fromRedis\n") // nor of the name of another backend
	r.write("conformance/integration/users_test.go", "package integration_test\n\nconst _ = fromUses\n")
	r.write("conformance/integration/both_test.go", "package integration_test\n\nimport (\n\t_ \""+scratchRoot+"/redis\"\n\t_ \""+scratchRoot+"/simple\"\n)\n")
	r.commit("Tests")
	return r
}

func TestSkewBeforeTags(t *testing.T) {
	r := newSkewed(t)
	out := r.mod("skew")
	out.want(t, 0,
		"skew redis: the oldest core that it allows, v0.1.0, is core as it is now\n",
		"skew redis v0.1.0, core v0.1.0: ", "skew simple v0.1.0, core v0.1.0: ")
	if n := strings.Count(out.stderr, ", core v"); n != 2 {
		t.Errorf("%d pairings, want one for each backend:\n%s", n, out.stderr)
	}
}

func TestSkew(t *testing.T) {
	t.Run("both cores", func(t *testing.T) {
		t.Parallel()
		r := newSkewed(t)
		r.tagAll()
		r.addUpper()
		r.edit("redis/redis.go", `cache.Upper("a")`, `cache.Join("a", "b")`)
		r.mod("skew").want(t, 0,
			"skew simple v0.1.0, core v0.1.1-next: ", "skew simple v0.1.0, core v0.1.0: ",
			"skew redis v0.1.0, core v0.1.1-next: ", "skew redis v0.1.0, core v0.1.0: ")
	})
	t.Run("newest core behaves otherwise", func(t *testing.T) {
		t.Parallel()
		r := newSkewed(t)
		r.tagAll()
		r.edit("core/cache.go", "a + b", "b + a")
		out := r.mod("skew")
		out.want(t, statusFindings,
			"simple: v0.1.0 with core v0.1.1-next: go test -short -count=1 "+scratchRoot+"/simple/...", `opened "ba"`,
			"redis: v0.1.0 with core v0.1.1-next: go test -short -count=1 "+scratchRoot+"/redis/...")
		if n := strings.Count(out.stdout, "(skew)"); n != 2 {
			t.Errorf("%d findings, want 2: with the oldest core all is well\n%s", n, out.stdout)
		}
	})
	t.Run("newest core lacks what the last tag uses", func(t *testing.T) {
		t.Parallel()
		r := newSkewed(t)
		r.tagAll()
		r.edit("core/cache.go", "Join", "Glue")
		r.edit("redis/redis.go", "cache.Join", "cache.Glue")
		r.edit("redis/go.mod", "core v0.1.0", "core v0.2.0")
		out := r.mod("skew", "redis")
		out.want(t, statusFindings, "redis: v0.1.0 with core v0.2.0: go build -o hello", "undefined: cache.Join (skew)", "skew redis v0.1.1-next, core v0.2.0: ")
		if n := strings.Count(out.stdout, "(skew)"); n != 1 {
			t.Errorf("%d findings, want 1\n%s", n, out.stdout)
		}
	})
	t.Run("suite that needs a newer core", func(t *testing.T) {
		t.Parallel()
		r := newSkewed(t)
		r.tagAll()
		r.addUpper()
		r.edit("conformance/go.mod", "core v0.1.0", "core v0.2.0")
		r.mod("skew", "simple").want(t, 0, "skew simple v0.1.0, core v0.2.0: ", "skew simple v0.1.0, core v0.1.0: ")

		r.edit("conformance/go.mod", "core v0.2.0", "core v0.1.0")
		r.git("tag", "--delete", "conformance/v0.1.0")
		r.edit("conformance/go.mod", "core v0.1.0", "core v0.2.0")
		r.mod("skew", "simple").want(t, statusFailed, "simple: no version of conformance runs with core v0.1.0")
	})
	t.Run("no suite", func(t *testing.T) {
		t.Parallel()
		r := newSkewed(t)
		r.write("conformance/integration/doc.go", "package integration\n")
		for _, file := range []string{"redis", "redis_more", "uses", "users"} {
			r.remove("conformance/integration/" + file + "_test.go")
		}
		r.mod("skew", "redis").want(t, statusFindings, "redis: v0.1.0 with core v0.1.0: go test: the suite was not run")
		r.write("conformance/integration/redis_test.go", "package integration\n\nimport (\n\t_ \""+scratchRoot+"/redis\"\n\t_ \""+scratchRoot+"/simple\"\n)\n")
		r.mod("skew", "redis").want(t, statusFindings, "redis_test.go imports other backends than redis")
	})
	t.Run("placeholder", func(t *testing.T) {
		t.Parallel()
		r := newSkewed(t)
		r.edit("redis/go.mod", "core v0.1.0", "core v0.0.0")
		r.mod("skew", "redis", "core").want(t, statusFindings, "redis: requires "+scratchRoot+"/core@v0.0.0")
	})
}
