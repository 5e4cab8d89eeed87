package main

import (
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	modpath "golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

// newPublished is a repository that users could get: with what the program of
// check calls, golden files and a table of sizes. All of it is committed.
func newPublished(t *testing.T) *repository {
	t.Helper()
	r := newRepository(t)
	r.write("core/open.go", `package cache

import "context"

type Config struct{}

func FromEnv([]string) Config { return Config{} }

type Cache struct{}

func Open(context.Context, Config) (*Cache, error) { return &Cache{}, nil }

func (*Cache) Has(context.Context, string) (bool, error) { return false, nil }

func (*Cache) Close() error { return nil }
`)
	for _, dir := range []string{"core", "conformance", "redis", "simple"} {
		golden := scratchRoot + "/" + dir + "\n"
		if dir != "core" {
			golden = scratchRoot + "/core\n" + golden
		}
		r.write("tools/mod/golden/"+dir+".txt", golden)
	}
	r.write("README.md", r.read("README.md")+sizesBegin+"| redis | 2 | 4 |\n| simple | 2 | 4 |\n"+sizesEnd)
	r.commit("What check wants")
	return r
}

// requireSibling has a module require another one and replace it, as they do.
func (r *repository) requireSibling(dir, sibling string) {
	r.t.Helper()
	name := scratchRoot + "/" + sibling
	r.write(dir+"/go.mod", r.read(dir+"/go.mod")+"\nrequire "+name+" v0.1.0\n\nreplace "+name+" => ../"+sibling+"\n")
}

// addUpper adds to core what no tag of it has, and has redis use it.
func (r *repository) addUpper() {
	r.t.Helper()
	r.write("core/upper.go", "package cache\n\nfunc Upper(s string) string { return s }\n")
	r.edit("redis/redis.go", `cache.Join("a", "b")`, `cache.Upper("a")`)
	r.commit("core: Upper; redis: use it")
}

func TestCheckSound(t *testing.T) {
	t.Parallel()
	r := newPublished(t)
	r.mod("check").want(t, 0, "core v0.1.0: 0", "conformance v0.1.0: 0", "redis v0.1.0: 0", "simple v0.1.0: 0")

	// A release of core that redis needs, and requires: before the tag and after.
	r.tagAll()
	r.addUpper()
	r.edit("redis/go.mod", "core v0.1.0", "core v0.2.0")
	r.mod("check", "core", "redis").want(t, 0, "core v0.2.0: 0", "redis v0.1.1-next: 0")
	r.git("tag", "core/v0.2.0")
	r.git("tag", "core/v0.3.0")
	r.mod("check", "redis", "simple").want(t, 0, "redis v0.1.1-next: 0", "simple v0.1.0: 0")
}

// The first version of another path.
func TestCheckMajor(t *testing.T) {
	t.Parallel()
	r := newPublished(t)
	r.tagAll()
	r.edit("conformance/go.mod", scratchRoot+"/conformance\n", scratchRoot+"/conformance/v2\n")
	r.edit("tools/mod/golden/conformance.txt", "/conformance", "/conformance/v2")
	r.mod("check", "conformance").want(t, 0, "conformance v2.0.0: 0 findings")
}

// What is wrong here the repository itself does not feel, but its users do.
func TestCheckFindings(t *testing.T) {
	for name, tt := range map[string]struct {
		damage func(*repository)
		want   string
	}{
		"lagging require": {func(r *repository) {
			r.tagAll()
			r.addUpper()
		}, "redis: requires " + scratchRoot + "/core@v0.1.0, which lacks what it uses: with siblings as they are now it builds\n\tgo build -o hello: # " +
			scratchRoot + "/redis\n\t../modcache/" + scratchRoot + "/redis@v0.1.1-next/redis.go:6:44: undefined: cache.Upper (lagging require)"},
		"placeholder": {func(r *repository) {
			for _, dir := range []string{"conformance", "redis", "simple"} {
				r.edit(dir+"/go.mod", "core v0.1.0", "core v0.0.0")
			}
		}, "redis: requires " + scratchRoot + "/core v0.0.0, which is neither a tag nor the next version (v0.1.0) (placeholder)"},
		"pseudo-version": {func(r *repository) {
			for _, dir := range []string{"conformance", "redis", "simple"} {
				r.edit(dir+"/go.mod", "core v0.1.0", "core v0.0.0-00010101000000-000000000000")
			}
		}, "redis: requires " + scratchRoot + "/core v0.0.0-00010101000000-000000000000, which is neither"},
		"version that was passed": {func(r *repository) {
			r.tagAll()
			r.git("tag", "core/v0.3.0")
			r.write("core/more.go", "package cache\n")
			r.edit("redis/go.mod", "core v0.1.0", "core v0.2.0")
		}, "redis: requires " + scratchRoot + "/core v0.2.0, which is neither a tag nor the next version (v0.3.1-next) (placeholder)"},
		"module that is never released": {func(r *repository) {
			r.write("redis/go.mod", r.read("redis/go.mod")+"\nrequire "+scratchRoot+"/tools/demo v0.1.0\n")
		}, "redis: requires " + scratchRoot + "/tools/demo, which is never released (placeholder)"},
		"sibling": {func(r *repository) {
			r.write("redis/more.go", "package redis\n\nimport _ \""+scratchRoot+"/simple\"\n")
			r.requireSibling("redis", "simple")
		}, "redis: its users pull " + scratchRoot + "/simple: example.com/hello -> " + scratchRoot + "/redis -> " + scratchRoot + "/simple (sibling)"},
		"sibling that only go.work knows": {func(r *repository) {
			r.write("redis/more.go", "package redis\n\nimport _ \""+scratchRoot+"/simple\"\n")
		}, "redis: its users pull " + scratchRoot + "/simple: "},
		"suite in a test": {func(r *repository) {
			r.write("redis/more_test.go", "package redis\n\nimport _ \""+scratchRoot+"/conformance\"\n")
			r.requireSibling("redis", "conformance")
		}, "redis: its users pull " + scratchRoot + "/conformance: example.com/hello -> " + scratchRoot + "/redis -> " + scratchRoot + "/redis.test -> "},
		"file that git ignores": {func(r *repository) {
			r.write(".gitignore", "secret.go\n")
			r.write("redis/secret.go", "package redis\n\nconst secret = 1\n")
			r.write("redis/more.go", "package redis\n\nvar _ = secret\n")
		}, "more.go:3:9: undefined: secret (build)"},
		"module of others that nobody has": {func(r *repository) {
			r.write("redis/more.go", "package redis\n\nimport _ \"example.org/client\"\n")
			r.write("redis/go.mod", r.read("redis/go.mod")+"\nrequire example.org/client v1.0.0\n")
		}, "example.org/client: example.org/client@v1.0.0: reading file://"},
		"list of too much": {func(r *repository) {
			r.write("tools/mod/golden/redis.txt", r.read("tools/mod/golden/redis.txt")+"example.org/client\n")
		}, "redis: golden/redis.txt names example.org/client, which users no longer pull (golden)"},
		"no list": {func(r *repository) {
			r.write("tools/mod/golden/redis.txt", scratchRoot+"/redis\n")
		}, "redis: its users pull " + scratchRoot + "/core, which golden/redis.txt does not name: example.com/hello -> " + scratchRoot + "/core (golden)"},
		"old table": {func(r *repository) {
			r.edit("README.md", "| redis | 2 | 4 |", "| redis | 2 | 5 |")
		}, "redis: README.md lacks the row | redis | 2 | 4 |: go run ./tools/mod sizes --write (sizes)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newPublished(t)
			tt.damage(r)
			r.mod("check", "redis").want(t, statusFinding, tt.want)
		})
	}
}

// modcache is a module cache of the machine that has modules: path@version ->
// the files by name.
func modcache(t *testing.T, modules map[string]map[string]string) {
	t.Helper()
	cache := t.TempDir()
	t.Setenv("GOMODCACHE", cache)
	t.Setenv("GOFLAGS", "-mod=mod -modcacherw")
	for query, files := range modules {
		name, version, _ := strings.Cut(query, "@")
		dir := t.TempDir()
		for file, text := range files {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		v := modpath.Version{Path: name, Version: version}
		err := writeProxy(filepath.Join(cache, "cache", "download"), v, []byte(files["go.mod"]), func(out io.Writer) error {
			return zip.CreateFromDir(out, v, dir)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// outside is a module of others with one package; its test imports another one.
func outside(name, tested string) map[string]string {
	files := map[string]string{
		"go.mod": "module " + name + "\n\ngo 1.25.0\n",
		"a.go":   "package " + path.Base(strings.ReplaceAll(name, "-", "/")) + "\n",
	}
	if tested != "" {
		files["go.mod"] += "\nrequire " + tested + " v1.0.0\n"
		files["a_test.go"] = files["a.go"] + "\nimport _ \"" + tested + "\"\n"
	}
	return files
}

// What modules of others test with reaches our users, too: it is theirs to decide,
// but containers never.
func TestCheckForbidden(t *testing.T) {
	const (
		client     = "example.org/client"
		testify    = "github.com/stretchr/testify"
		containers = "github.com/testcontainers/testcontainers-go"
		docker     = "github.com/docker/docker"
	)
	modcache(t, map[string]map[string]string{
		client + "@v1.0.0":     outside(client, testify),
		client + "@v1.1.0":     outside(client, docker),
		testify + "@v1.0.0":    outside(testify, ""),
		containers + "@v1.0.0": outside(containers, ""),
		docker + "@v1.0.0":     outside(docker, ""),
	})
	imports := func(r *repository, name, imported, version string) {
		r.write("redis/"+name, "package redis\n\nimport _ \""+imported+"\"\n")
		r.write("redis/go.mod", r.read("redis/go.mod")+"\nrequire "+imported+" "+version+"\n")
	}
	const fromTest = "example.com/hello -> " + scratchRoot + "/redis -> " + scratchRoot + "/redis.test -> "

	r := newPublished(t)
	imports(r, "more_test.go", containers, "v1.0.0")
	r.mod("check", "redis").want(t, statusFinding,
		"redis: its users pull "+containers+": "+fromTest+containers+" (forbidden)",
		"redis: its users pull "+containers+", which golden/redis.txt does not name: "+fromTest+containers+" (golden)",
		"| redis | 3 | 6 |")

	r = newPublished(t)
	imports(r, "more_test.go", testify, "v1.0.0")
	r.mod("check", "redis").want(t, statusFinding, "redis: its users pull "+testify+": "+fromTest+testify+" (forbidden)")

	r = newPublished(t)
	imports(r, "more.go", client, "v1.0.0")
	r.edit("README.md", "| redis | 2 | 4 |", "| redis | 4 | 8 |")
	r.mod("check", "--update", "redis").want(t, 0)
	if got, want := r.read("tools/mod/golden/redis.txt"), scratchRoot+"/core\n"+scratchRoot+"/redis\n"+client+"\n"+testify+"\n"; got != want {
		t.Errorf("the golden file is\n%swant\n%s", got, want)
	}
	r.mod("check", "redis").want(t, 0)

	r.edit("redis/go.mod", client+" v1.0.0", client+" v1.1.0")
	r.mod("check", "redis").want(t, statusFinding, "redis: its users pull "+docker+": example.com/hello -> "+scratchRoot+"/redis -> "+client+" -> "+client+".test -> "+docker+" (forbidden)")
}

func TestCheckArguments(t *testing.T) {
	r := newPublished(t)
	r.mod("check", "tools/demo").want(t, statusFault, "tools/demo is no released module")
	if out := r.mod("check", "--json", "simple"); out.stdout != "[]\n" {
		t.Errorf("as JSON: %q, want an empty list", out.stdout)
	}
}
