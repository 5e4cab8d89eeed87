package main

import (
	"bytes"
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
	r.write("README.md", r.read("README.md")+sizesBegin+"| redis | 2 |\n| simple | 2 |\n"+sizesEnd)
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
		}, "redis: does not build with " + scratchRoot + "/core@v0.1.0, which it requires, but with " + scratchRoot + "/core@v0.1.1-next\n\tgo build -o hello: # " +
			scratchRoot + "/redis\n\t../modcache/" + scratchRoot + "/redis@v0.1.1-next/redis.go:6:44: undefined: cache.Upper (lagging requirement)"},
		"placeholder": {func(r *repository) {
			for _, dir := range []string{"conformance", "redis", "simple"} {
				r.edit(dir+"/go.mod", "core v0.1.0", "core v0.0.0")
			}
		}, "redis: requires " + scratchRoot + "/core@v0.0.0, which is neither tagged nor the next version (v0.1.0) (requirement)"},
		"pseudo-version": {func(r *repository) {
			for _, dir := range []string{"conformance", "redis", "simple"} {
				r.edit(dir+"/go.mod", "core v0.1.0", "core v0.0.0-00010101000000-000000000000")
			}
		}, "redis: requires " + scratchRoot + "/core@v0.0.0-00010101000000-000000000000, which is neither"},
		"version that was passed": {func(r *repository) {
			r.tagAll()
			r.git("tag", "core/v0.3.0")
			r.write("core/more.go", "package cache\n")
			r.edit("redis/go.mod", "core v0.1.0", "core v0.2.0")
		}, "redis: requires " + scratchRoot + "/core@v0.2.0, which is neither tagged nor the next version (v0.3.1-next) (requirement)"},
		"module that is never released": {func(r *repository) {
			r.write("redis/go.mod", r.read("redis/go.mod")+"\nrequire "+scratchRoot+"/tools/demo v0.1.0\n")
		}, "redis: requires " + scratchRoot + "/tools/demo, which is never released (requirement)"},
		"sibling": {func(r *repository) {
			r.write("redis/more.go", "package redis\n\nimport _ \""+scratchRoot+"/simple\"\n")
			r.requireSibling("redis", "simple")
		}, "redis: users download " + scratchRoot + "/simple, which golden/redis.txt does not list: example.com/hello -> " + scratchRoot + "/redis -> " + scratchRoot + "/simple (golden)"},
		"sibling that only go.work knows": {func(r *repository) {
			r.write("redis/more.go", "package redis\n\nimport _ \""+scratchRoot+"/simple\"\n")
		}, "redis: users download " + scratchRoot + "/simple, "},
		"suite in a test": {func(r *repository) {
			r.write("redis/more_test.go", "package redis\n\nimport _ \""+scratchRoot+"/conformance\"\n")
			r.requireSibling("redis", "conformance")
		}, "redis: users download " + scratchRoot + "/conformance, which golden/redis.txt does not list: example.com/hello -> " + scratchRoot + "/redis -> " + scratchRoot + "/redis.test -> "},
		"file that git ignores": {func(r *repository) {
			r.write(".gitignore", "secret.go\n")
			r.write("redis/secret.go", "package redis\n\nconst secret = 1\n")
			r.write("redis/more.go", "package redis\n\nvar _ = secret\n")
		}, "more.go:3:9: undefined: secret (build)"},
		"module of others that nobody has": {func(r *repository) {
			r.write("redis/more.go", "package redis\n\nimport _ \"example.org/client\"\n")
			r.write("redis/go.mod", r.read("redis/go.mod")+"\nrequire example.org/client v1.0.0\n")
		}, "example.org/client: module lookup disabled by GOPROXY=off"},
		"list of too much": {func(r *repository) {
			r.write("tools/mod/golden/redis.txt", r.read("tools/mod/golden/redis.txt")+"example.org/client\n")
		}, "redis: golden/redis.txt lists example.org/client, which users do not download (golden)"},
		"no list": {func(r *repository) {
			r.write("tools/mod/golden/redis.txt", scratchRoot+"/redis\n")
		}, "redis: users download " + scratchRoot + "/core, which golden/redis.txt does not list: example.com/hello -> " + scratchRoot + "/core (golden)"},
		"old table": {func(r *repository) {
			r.edit("README.md", "| redis | 2 |", "| redis | 3 |")
		}, "redis: README.md lacks the row | redis | 2 |: go run ./tools/mod sizes --write (sizes)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newPublished(t)
			tt.damage(r)
			r.mod("check", "redis").want(t, statusFindings, tt.want)
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
		download := &repository{t, filepath.Join(cache, "cache", "download", name, "@v")}
		download.write("list", version+"\n")
		download.write(version+".info", `{"Version": "`+version+`"}`)
		download.write(version+".mod", files["go.mod"])
		var archive bytes.Buffer
		if err := zip.CreateFromDir(&archive, v, dir); err != nil {
			t.Fatal(err)
		}
		download.write(version+".zip", archive.String())
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

// What modules of others test with is downloaded by our users too, and golden files
// list it; but never containers.
func TestCheckForTests(t *testing.T) {
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
	r := newPublished(t)
	imports(r, "more_test.go", containers, "v1.0.0")
	r.mod("check", "redis").want(t, statusFindings,
		"redis: users download "+containers+", which is for tests: example.com/hello -> "+scratchRoot+"/redis -> "+scratchRoot+"/redis.test -> "+containers+" (for tests)",
		"| redis | 3 |")

	r = newPublished(t)
	imports(r, "more.go", client, "v1.0.0")
	r.edit("README.md", "| redis | 2 |", "| redis | 4 |")
	r.mod("check", "--update", "redis").want(t, 0)
	if got, want := r.read("tools/mod/golden/redis.txt"), scratchRoot+"/core\n"+scratchRoot+"/redis\n"+client+"\n"+testify+"\n"; got != want {
		t.Errorf("the golden file is\n%swant\n%s", got, want)
	}
	r.mod("check", "redis").want(t, 0)

	r.edit("redis/go.mod", client+" v1.0.0", client+" v1.1.0")
	r.mod("check", "--update", "redis").want(t, 0)
	r.mod("check", "redis").want(t, statusFindings, "redis: users download "+docker+", which is for tests: example.com/hello -> "+scratchRoot+"/redis -> "+client+" -> "+client+".test -> "+docker+" (for tests)")
}

func TestCheckArguments(t *testing.T) {
	newPublished(t).mod("check", "tools/demo").want(t, statusFailed, "tools/demo is not a released module")
}
