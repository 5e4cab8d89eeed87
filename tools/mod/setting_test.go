package main

import (
	"os"
	"reflect"
	"testing"

	"github.com/cachebackends/cachebackends/tools/mod/internal/repo"
)

// A new setting of a backend is a release of that backend alone: core knows the
// settings of no backend.
func TestNewSettingReleasesOneModule(t *testing.T) {
	const backend = "redis"
	here, err := repo.Open("../..")
	if err != nil {
		t.Fatal(err)
	}
	tree, err := here.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	files, err := here.Archive(t.Context(), tree)
	if err != nil {
		t.Fatal(err)
	}
	r := &repository{t, t.TempDir()}
	if err := os.CopyFS(r.root, files); err != nil {
		t.Fatal(err)
	}
	r.git("init", "--quiet", "--initial-branch=main", "--template=")
	r.commit("Copy")
	for _, m := range here.Released() {
		r.git("tag", m.Dir+"/v0.1.0")
	}

	r.edit(backend+"/options.go", "type Options struct {\n", "type Options struct {\n\tGreeting string `setting:\"CACHE_REDIS_GREETING\" default:\"hello\" help:\"of a test\"`\n\n")
	r.write(backend+"/greeting_test.go", `package `+backend+`

import (
	"testing"

	"`+here.Path+`/core/driver"
)

func TestGreeting(t *testing.T) {
	info, _ := driver.Lookup("`+backend+`")
	for _, s := range info.Declared() {
		if s.Name == "CACHE_REDIS_GREETING" && s.Field == "Options.Greeting" && s.Default == "hello" {
			return
		}
	}
	t.Errorf("declared: %+v", info.Declared())
}
`)
	t.Setenv("GOWORK", "off")
	r.exec("go", "test", "-C", backend, "-run", "^TestGreeting$", ".")
	proposals, _ := r.proposed()
	for module, p := range proposals {
		want := ""
		if module == backend {
			want = "v0.2.0"
		}
		if p.Next != want {
			t.Errorf("%s: %+v, want version %q", module, p, want)
		}
	}
	if want := []change{{"Options.Greeting: added", false}}; !reflect.DeepEqual(proposals[backend].Changes, want) {
		t.Errorf("changes %+v, want %+v", proposals[backend].Changes, want)
	}
}
