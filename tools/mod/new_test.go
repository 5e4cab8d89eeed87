package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// newClone makes a clone of this repository that is smaller: the modules that
// require nothing, and the suite over null alone.
func newClone(t *testing.T) *repository {
	t.Helper()
	t.Setenv("GOFLAGS", "") // the go command does not take -mod=mod where there is a go.work
	r := &repository{t, t.TempDir()}
	for _, dir := range []string{"core", "null", "conformance"} {
		if err := os.CopyFS(filepath.Join(r.root, dir), os.DirFS(filepath.Join("../..", dir))); err != nil {
			t.Fatal(err)
		}
	}
	here := &repository{t, "../.."}
	kept := map[string]string{}
	for _, name := range []string{"conformance/integration/doc.go", "conformance/integration/null_test.go", "conformance/integration/settings_test.go", "LICENSE"} {
		kept[name] = here.read(name)
	}
	r.remove("conformance/integration")
	for name, text := range kept {
		r.write(name, text)
	}
	path := strings.TrimSuffix(strings.Fields(r.read("core/go.mod"))[1], "/core")
	imports := regexp.MustCompile(`(?m)^\t_ "` + path + `/.*\n`) // of backends, for the test of the tables of settings
	r.write("conformance/integration/settings_test.go", imports.ReplaceAllString(r.read("conformance/integration/settings_test.go"), ""))
	r.write("conformance/integration/go.mod", strings.ReplaceAll(goMod("conformance/integration", "conformance", "core", "null"), scratchRoot, path))
	r.write("go.work", "go 1.26.0\n\nuse (\n\t./conformance\n\t./conformance/integration\n\t./core\n\t./null\n)\n")
	r.write(dependabotFile, "updates:\n  - package-ecosystem: gomod\n    directories:\n      - /conformance\n      - /conformance/integration\n      - /core\n      - /null\n    groups: {all: {}}\n")
	r.write("README.md", "| module | requires |\n|---|---|\n| [null](null) | nothing |\n\nMore: "+path+".\n")
	r.git("init", "--quiet", "--initial-branch=main", "--template=")
	r.commit("Clone")
	r.mod("verify").want(t, 0)
	return r
}

// The new backend compiles and passes verify. Its own tests pass, as does the one of
// the tables of settings. The suite fails, and each failure names a method that is
// not written.
func TestNew(t *testing.T) {
	r := newClone(t)
	r.mod("new", "mystore").want(t, 0, "mystore/mystore.go", "TestMystore$")
	r.mod("verify").want(t, 0)
	r.exec("go", "vet", "./mystore/...", "./conformance/integration/...")
	r.exec("go", "test", "./mystore/...")
	r.exec("go", "test", "-run", "^TestSettingsTables$", "./conformance/integration")
	if out := r.exec("gofmt", "-l", "mystore", "conformance/integration"); out != "" {
		t.Errorf("not formatted: %s", out)
	}
	if want := "| [null](null) | nothing |\n| [mystore](mystore) | `mystore` | a server of mystore | nothing |\n\nMore"; !strings.Contains(r.read("README.md"), want) {
		t.Errorf("README.md:\n%s", r.read("README.md"))
	}

	suite := exec.CommandContext(t.Context(), "go", "test", "-run", "^TestMystore$", ".")
	suite.Dir = filepath.Join(r.root, "conformance/integration")
	out, err := suite.CombinedOutput()
	if err == nil {
		t.Fatalf("the suite passes over a backend that is not written:\n%s", out)
	}
	cases := strings.Split(string(out), "    --- FAIL: TestMystore/")[1:]
	if len(cases) < 10 {
		t.Fatalf("%d cases fail, want at least those of Get and Set:\n%s", len(cases), out)
	}
	explained := 0
	for _, text := range cases {
		if !strings.Contains(text, "fail: ") {
			continue // fails with another case, which explains it
		}
		explained++
		if !strings.Contains(text, "is not written yet") && !strings.HasPrefix(text, "DEC-1") {
			t.Errorf("fails for another reason than missing code: %s", text)
		}
	}
	if explained == 0 {
		t.Errorf("no failure is explained:\n%s", out)
	}

	// Without it the repository is as before.
	r.git("checkout", "--quiet", ".")
	r.git("clean", "--quiet", "-d", "--force")
	r.mod("verify").want(t, 0)
}

func TestNewArguments(t *testing.T) {
	r := newRepository(t)
	for name, want := range map[string]string{
		"My":    "small letters and digits",
		"go":    "small letters and digits",
		"cache": "small letters and digits",
		"../x":  "small letters and digits",
		"redis": "redis exists",
	} {
		r.mod("new", name).want(t, statusFailed, want)
	}
	if dirty := r.git("status", "--porcelain"); dirty != "" {
		t.Errorf("a refusal wrote %s", dirty)
	}
}

// Its requirement on core is the last version that users can get.
func TestNewAfterTags(t *testing.T) {
	r := newRepository(t)
	r.tagAll()
	r.git("tag", "core/v0.3.0")
	r.mod("new", "etcd").want(t, 0, "etcd has been written")
	if text := r.read("etcd/go.mod"); !strings.Contains(text, "require "+scratchRoot+"/core v0.3.0\n") || !strings.Contains(text, "go 1.25.0\n") {
		t.Errorf("go.mod:\n%s", text)
	}
}

// The go.mod of integration keeps its form: direct and indirect requirements
// apart, one block of replaces.
func TestNewKeepsBlocks(t *testing.T) {
	const before = `module example.com/caches/conformance/integration

go 1.26.0

require (
	example.com/caches/core v0.1.0
	example.com/caches/redis v0.1.0
)

require example.com/x v1.0.0 // indirect

replace (
	example.com/caches/core => ../../core
	example.com/caches/redis => ../../redis
)
`
	after, err := skeleton{Root: scratchRoot, Name: "mystore"}.require([]byte(before))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(before, "\texample.com/caches/redis v0.1.0", "\texample.com/caches/mystore v0.1.0\n\texample.com/caches/redis v0.1.0", 1)
	want = strings.Replace(want, "\texample.com/caches/redis =>", "\texample.com/caches/mystore => ../../mystore\n\texample.com/caches/redis =>", 1)
	if string(after) != want {
		t.Errorf("got:\n%s\nwant:\n%s", after, want)
	}
}
