package main

import (
	"path/filepath"
	"reflect"
	"testing"

	"github.com/cachebackends/cachebackends/tools/mod/internal/repo"
)

// proposed returns what plan proposes by module, and in which order.
func (r *repository) proposed() (of map[string]proposal, order []string) {
	r.t.Helper()
	opened, err := repo.Open(r.root)
	if err != nil {
		r.t.Fatal(err)
	}
	list, err := plan(r.t.Context(), opened)
	if err != nil {
		r.t.Fatal(err)
	}
	of = map[string]proposal{}
	for _, p := range list {
		of[p.Module] = p
		order = append(order, p.Module)
	}
	return of, order
}

func TestPlanFirst(t *testing.T) {
	of, order := newRepository(t).proposed()
	if want := []string{"core", "conformance", "redis", "simple"}; !reflect.DeepEqual(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
	for _, p := range of {
		if p.Last != "" || p.Next != "v0.1.0" {
			t.Errorf("%+v: want v0.1.0, the first", p)
		}
	}
}

// A breaking change in core, a fix in redis that needs it, an addition in simple.
func TestPlanHistory(t *testing.T) {
	r := newRepository(t)
	r.tagAll()
	r.write("core/cache.go", "package cache\n\n// Join joins.\nfunc Join(a, b string, more ...string) string { return a + b }\n\n// Upper is new.\nfunc Upper(s string) string { return s }\n")
	r.commit("core: Join takes more")
	r.edit("redis/redis.go", `cache.Join("a", "b")`, `cache.Upper("a")`)
	r.commit("redis: a fix")
	r.edit("simple/simple.go", "// Open opens.", "// Shut is new.\nfunc Shut() {}\n\n// Open opens.")
	r.commit("simple: Shut")
	r.write("conformance/x_test.go", "package conformance\n")
	r.write("conformance/integration/x_test.go", "package integration\n")
	r.commit("conformance: tests")

	of, _ := r.proposed()
	for dir, want := range map[string]proposal{
		"core": {Next: "v0.2.0", Why: "breaking change", Files: []string{"core/cache.go"}, Changes: []change{
			{"Join: changed from func(string, string) string to func(string, string, ...string) string", true},
			{"Upper: added", false},
		}},
		"conformance": {Why: "only tests and documentation have changed", Files: []string{"conformance/x_test.go"}},
		"redis":       {Next: "v0.1.1", Why: "fix", Files: []string{"redis/redis.go"}},
		"simple":      {Next: "v0.2.0", Why: "addition", Files: []string{"simple/simple.go"}, Changes: []change{{"Shut: added", false}}},
	} {
		want.Module, want.Last = dir, "v0.1.0"
		if got := of[dir]; !reflect.DeepEqual(got, want) {
			t.Errorf("\n got %+v\nwant %+v", got, want)
		}
	}
	r.mod("plan").want(t, 0,
		"core         v0.1.0 -> v0.2.0   breaking change\n    ! Join: changed from",
		"    + Upper: added\nconformance  v0.1.0             only tests",
		"redis        v0.1.0 -> v0.1.1   fix\nsimple       v0.1.0 -> v0.2.0   addition\n    + Shut: added\n",
	)

	// What is not committed counts too.
	r.write("conformance/fresh.go", "package conformance\n\n// Fresh is new.\nconst Fresh = 1\n")
	of, _ = r.proposed()
	if got := of["conformance"]; got.Next != "v0.2.0" || got.Why != "addition" {
		t.Errorf("conformance %+v, want an addition", got)
	}
}

// A patch of one module must not bring a breaking change of another.
func TestPlanBreakingSibling(t *testing.T) {
	r := newRepository(t)
	r.tagAll()
	r.edit("core/cache.go", "a, b string", "a, b string, more ...string")
	r.edit("conformance/conformance.go", "// Open opens.", "// Open opens and does more.")
	of, _ := r.proposed()
	if got := of["conformance"]; got.Next != "v0.1.1" {
		t.Errorf("conformance with the old core: %+v, want v0.1.1", got)
	}
	for _, tagged := range []bool{false, true} {
		if tagged {
			r.git("tag", "core/v0.2.0")
		}
		r.edit("conformance/go.mod", "core v0.1.0", "core v0.2.0")
		r.commit("conformance: require core v0.2.0")
		of, _ = r.proposed()
		want := []change{{"core v0.2.0: required, which breaks v0.1.0: Join: changed from func(string, string) string to func(string, string, ...string) string", true}}
		if got := of["conformance"]; got.Next != "v0.2.0" || got.Why != "breaking change" || !reflect.DeepEqual(got.Changes, want) {
			t.Errorf("core tagged %v: %+v, want v0.2.0 and\n%+v", tagged, got, want)
		}
		if got := of["redis"]; got.Next != "" {
			t.Errorf("redis %+v: it requires the old core", got)
		}
		r.edit("conformance/go.mod", "core v0.2.0", "core v0.1.0")
		r.commit("conformance: require core v0.1.0")
	}

	// Additions of another module make no difference; a newer Go does.
	r = newRepository(t)
	r.tagAll()
	r.write("core/more.go", "package cache\n\n// More is new.\nfunc More() {}\n")
	r.edit("redis/go.mod", "core v0.1.0", "core v0.2.0")
	of, _ = r.proposed()
	if got := of["redis"]; got.Next != "v0.1.1" {
		t.Errorf("redis with a core with additions: %+v, want v0.1.1", got)
	}
	r.edit("redis/go.mod", "go 1.25.0", "go 1.26.0")
	of, _ = r.proposed()
	if got, want := of["redis"], []change{{"go 1.26.0: required, before 1.25.0", false}}; got.Next != "v0.2.0" || !reflect.DeepEqual(got.Changes, want) {
		t.Errorf("redis with a newer Go: %+v, want v0.2.0", got)
	}
}

// A tag that HEAD does not have is of another line of development.
func TestPlanOtherBranch(t *testing.T) {
	r := newRepository(t)
	r.tagAll()
	r.git("switch", "--quiet", "--create", "other")
	r.write("simple/more.go", "package simple\n")
	r.commit("simple: more")
	r.git("tag", "simple/v0.9.0")
	r.git("switch", "--quiet", "main")
	r.write("simple/less.go", "package simple\n")
	r.git("tag", "simple/v0.2.0-rc.1")
	of, _ := r.proposed()
	if got := of["simple"]; got.Last != "v0.1.0" || got.Next != "v0.1.1" {
		t.Errorf("simple %s -> %s, want v0.1.0 -> v0.1.1", got.Last, got.Next)
	}
}

// A module that does not compile has no API to compare.
func TestPlanBroken(t *testing.T) {
	r := newRepository(t)
	r.tagAll()
	r.write("simple/more.go", "package simple\n\nvar x int = \"\"\n")
	r.mod("plan").want(t, statusFailed, "simple: ", "more.go:3:13: cannot use")
}

// Without its tags a repository looks as if nothing had been released.
func TestPlanShallow(t *testing.T) {
	r := newRepository(t)
	clone := &repository{t, filepath.Join(t.TempDir(), "clone")}
	r.exec("git", "clone", "--quiet", "--depth", "1", "file://"+r.root, clone.root)
	clone.mod("plan").want(t, statusFailed, "a shallow clone lacks the tags")
}

func TestPlanMajor(t *testing.T) {
	r := newRepository(t)
	r.tagAll()
	r.git("tag", "simple/v1.4.2")
	r.edit("simple/simple.go", "Open()", "Start()")
	of, _ := r.proposed()
	if got := of["simple"]; got.Next != "v2.0.0" || got.Why != "breaking change; its path must end in /v2" {
		t.Errorf("simple %+v, want v2.0.0 and what it means for the path", got)
	}
}

func TestNextVersion(t *testing.T) {
	for _, tt := range []struct {
		last               string
		breaking, addition bool
		want               string
	}{
		{"v0.1.2", false, false, "v0.1.3"},
		{"v0.1.2", false, true, "v0.2.0"},
		{"v0.1.2", true, true, "v0.2.0"},
		{"v1.2.3", false, false, "v1.2.4"},
		{"v1.2.3", false, true, "v1.3.0"},
		{"v1.2.3", true, false, "v2.0.0"},
	} {
		if got := repo.NextVersion(tt.last, tt.breaking, tt.addition); got != tt.want {
			t.Errorf("after %s, breaking %v, addition %v: %s, want %s", tt.last, tt.breaking, tt.addition, got, tt.want)
		}
	}
}
