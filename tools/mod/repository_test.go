package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/cachebackends/cachebackends/tools/mod/internal/repo"
)

// The go command finds all it needs on the machine, and git knows who commits
// and nothing else of the user.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{
		"GOPROXY": "off", "GOFLAGS": "-mod=mod", "GOWORK": "",
		"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_SYSTEM": os.DevNull,
		"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.com",
		"GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.com",
	} {
		os.Setenv(name, value)
	}
	dir, err := os.MkdirTemp("", "mod-test-")
	if err != nil {
		panic(err)
	}
	soundDir = dir
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

var soundDir string

// repository is a scratch repository in the shape of this one.
type repository struct {
	t    *testing.T
	root string
}

const scratchRoot = "example.com/caches"

// newRepository makes one that nothing is wrong with, committed and without tags.
func newRepository(t *testing.T) *repository {
	t.Helper()
	r := &repository{t, t.TempDir()}
	if err := os.CopyFS(r.root, os.DirFS(sound(t))); err != nil {
		t.Fatal(err)
	}
	return r
}

var soundOnce sync.Once

// sound is the directory of the repository that the tests copy.
func sound(t *testing.T) string {
	soundOnce.Do(func() {
		r := &repository{t, soundDir}
		r.write("go.work", "go 1.26.0\n\nuse (\n\t./conformance\n\t./conformance/integration\n\t./core\n\t./redis\n\t./simple\n\t./tools/demo\n)\n")
		r.write("LICENSE", "Do as you like.\n")
		r.write(dependabotFile, "updates:\n  - package-ecosystem: gomod\n    directories:\n      - /conformance\n      - /core\n      - /redis\n      - /simple\n    groups: {all: {}}\n"+
			"  - package-ecosystem: gomod\n    directories:\n      - /conformance/integration\n      - /tools/demo\n    groups: {all: {}}\n")
		r.write(".github/workflows/ci.yml", "jobs:\n  test:\n    steps:\n      - uses: a/b@0123456789012345678901234567890123456789 # v1.2.3\n")
		r.write("README.md", "# Caches\n\n| module | requires |\n|---|---|\n| [redis](redis) | nothing |\n| [simple](simple) | nothing |\n")
		for _, dir := range []string{"core", "conformance", "redis", "simple"} {
			r.writeReleased(dir)
		}
		r.write("core/cache.go", "package cache\n\n// Join joins.\nfunc Join(a, b string) string { return a + b }\n")
		r.write("core/register.go", "package cache\n\n// Register registers.\nfunc Register(name string) {}\n")
		for _, dir := range []string{"redis", "simple"} {
			r.write(dir+"/settings.go", "package "+dir+"\n\nimport cache \""+scratchRoot+"/core\"\n\nfunc init() { cache.Register(\""+dir+"\") }\n")
			r.write("docs/support/"+dir+".json", "{}\n")
		}
		r.write("conformance/integration/go.mod", goMod("conformance/integration", "conformance", "core", "redis", "simple"))
		for _, dir := range []string{"redis", "simple"} {
			r.write("conformance/integration/"+dir+"_test.go", "package integration\n\nimport _ \""+scratchRoot+"/"+dir+"\"\n")
		}
		r.write("tools/demo/go.mod", goMod("tools/demo", "core"))
		r.write("tools/demo/main.go", "package main\n\nimport _ \""+scratchRoot+"/core\"\n\nfunc main() {}\n")
		r.git("init", "--quiet", "--initial-branch=main", "--template=")
		r.commit("First")
	})
	return soundDir
}

// writeReleased writes what released modules have in common, and for all but core
// a use of core.
func (r *repository) writeReleased(dir string) {
	r.t.Helper()
	r.write(dir+"/README.md", "# "+dir+"\n")
	r.write(dir+"/CHANGELOG.md", "# Changelog\n\n## Unreleased\n\n## v0.1.0 - 2026-01-31\n\n- First version of "+dir+".\n")
	r.write(dir+"/LICENSE", "Do as you like.\n")
	if dir == "core" {
		r.write("core/go.mod", goMod("core"))
		r.write("core/doc.go", "// Package cache is of a test.\npackage cache\n")
		return
	}
	r.write(dir+"/go.mod", goMod(dir, "core"))
	r.write(dir+"/doc.go", "// Package "+dir+" is of a test.\npackage "+dir+"\n")
	r.write(dir+"/"+dir+".go", "package "+dir+"\n\nimport cache \""+scratchRoot+"/core\"\n\n// Open opens.\nfunc Open() (string, error) { return cache.Join(\"a\", \"b\"), nil }\n")
}

// goMod is a go.mod that requires siblings.
func goMod(dir string, siblings ...string) string {
	up := strings.Repeat("../", strings.Count(dir, "/")+1)
	text := "module " + scratchRoot + "/" + dir + "\n\ngo 1.25.0\n"
	for _, sibling := range siblings {
		path := scratchRoot + "/" + sibling
		text += "\nrequire " + path + " v0.1.0\n\nreplace " + path + " => " + up + sibling + "\n"
	}
	return text
}

func (r *repository) write(name, text string) {
	r.t.Helper()
	path := filepath.Join(r.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

func (r *repository) read(name string) string {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(r.root, name))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

// edit replaces a part of a file, which must be there.
func (r *repository) edit(name, before, after string) {
	r.t.Helper()
	text := r.read(name)
	if !strings.Contains(text, before) {
		r.t.Fatalf("%s has no %q", name, before)
	}
	r.write(name, strings.ReplaceAll(text, before, after))
}

func (r *repository) remove(name string) {
	r.t.Helper()
	if err := os.RemoveAll(filepath.Join(r.root, name)); err != nil {
		r.t.Fatal(err)
	}
}

func (r *repository) git(args ...string) string {
	r.t.Helper()
	return r.exec("git", args...)
}

func (r *repository) exec(name string, args ...string) string {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), name, args...)
	cmd.Dir = r.root
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (r *repository) commit(message string) {
	r.t.Helper()
	r.git("add", "--all")
	r.git("commit", "--quiet", "--message", message)
}

// tagAll tags the released modules at v0.1.0.
func (r *repository) tagAll() {
	r.t.Helper()
	for _, dir := range []string{"core", "conformance", "redis", "simple"} {
		r.git("tag", "--annotate", "--message", dir, dir+"/v0.1.0")
	}
}

// outcome is what a call of the tool did.
type outcome struct {
	status         int
	stdout, stderr string
}

// mod calls the tool on the repository.
func (r *repository) mod(args ...string) outcome {
	var stdout, stderr bytes.Buffer
	status := run(r.t.Context(), append([]string{"--root", r.root}, args...), &stdout, &stderr)
	return outcome{status, stdout.String(), stderr.String()}
}

// modWith calls the tool with something in the place of check for tag.
func (r *repository) modWith(check func(context.Context, *repo.Repo, []repo.Module) (repo.Findings, error), args ...string) outcome {
	var stdout, stderr bytes.Buffer
	a := &app{stdout: &stdout, stderr: &stderr, check: check}
	status := a.run(r.t.Context(), append([]string{"--root", r.root}, args...))
	return outcome{status, stdout.String(), stderr.String()}
}

// want fails the test unless the outcome is as given: the status, and the parts
// of the output.
func (o outcome) want(t *testing.T, status int, parts ...string) {
	t.Helper()
	if o.status != status {
		t.Errorf("status %d, want %d", o.status, status)
	}
	for _, part := range parts {
		if !strings.Contains(o.stdout+o.stderr, part) {
			t.Errorf("the output lacks %q", part)
		}
	}
	if t.Failed() {
		t.Fatalf("stdout:\n%s\nstderr:\n%s", o.stdout, o.stderr)
	}
}
