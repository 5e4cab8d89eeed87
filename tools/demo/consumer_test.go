package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "github.com/cachebackends/cachebackends/"

// clients maps each backend to the client package that it may add to a user's
// program, together with everything that the module of the client requires.
var clients = map[string]string{
	"null":       "",
	"simple":     "",
	"filesystem": "",
	"uwsgi":      "",
	"redis":      "github.com/redis/go-redis/v9",
	"memcached":  "github.com/bradfitz/gomemcache/memcache",
	"gcs":        "cloud.google.com/go/storage",
}

// A user's program requires only modules that a program over the bare client
// requires as well, both in `go list -m all` and in go.sum.
func TestConsumerRequirements(t *testing.T) {
	for backend, client := range clients {
		t.Run(backend, func(t *testing.T) {
			dir := consumer(t, root+backend, "")
			ours := modules(t, dir)
			allowed := []string{root + "core", root + backend}
			if client != "" {
				bare := consumer(t, client, goTool(t, dir, "list", "-f", "{{.Module.Path}} {{.Module.Version}}", client))
				allowed = append(allowed, modules(t, bare)...)
			}
			for _, module := range ours {
				if !slices.Contains(allowed, module) {
					t.Errorf("a program that imports %s requires %s", backend, module)
				}
			}
		})
	}
}

// consumer creates a program that imports only the package at path and returns its
// directory. required is the module of the package as "path version", or "" for a
// package of this repository.
func consumer(t *testing.T, path, required string) string {
	t.Helper()
	dir := t.TempDir()
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	gomod := "module consumer\n\ngo 1.26.0\n\n"
	if required != "" {
		gomod += fmt.Sprintf("require %s\n", required)
	} else {
		gomod += fmt.Sprintf("require %[1]s v0.1.0\n\nreplace %[1]s => %[2]s/%[3]s\n\nreplace %[4]score => %[2]s/core\n",
			path, repository, filepath.Base(path), root)
	}
	write(t, filepath.Join(dir, "go.mod"), gomod)
	write(t, filepath.Join(dir, "main.go"), fmt.Sprintf("package main\n\nimport _ %q\n\nfunc main() {}\n", path))
	goTool(t, dir, "mod", "tidy")
	goTool(t, dir, "vet", ".")
	return dir
}

// modules returns the modules in the program's module graph and go.sum, without the
// program itself.
func modules(t *testing.T, dir string) []string {
	t.Helper()
	named := strings.Split(goTool(t, dir, "list", "-m", "-f", "{{.Path}}", "all"), "\n")[1:]
	sums, _ := os.ReadFile(filepath.Join(dir, "go.sum")) // absent if nothing is required
	for line := range strings.Lines(string(sums)) {
		module, _, _ := strings.Cut(line, " ")
		named = append(named, module)
	}
	slices.Sort(named)
	return slices.Compact(named)
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func goTool(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return strings.TrimSpace(string(out))
}
