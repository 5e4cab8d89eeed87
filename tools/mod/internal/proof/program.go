package proof

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	modpath "golang.org/x/mod/module"

	"github.com/cachebackends/cachebackends/tools/mod/internal/repo"
)

// program is a user's program in a module of its own, with an empty module cache.
type program struct {
	dir string   // of both, to be removed
	src string   // directory of the program
	env []string // of go commands
}

// goError is a go command that failed.
type goError struct {
	command string
	output  string
}

func (e *goError) Error() string { return e.command + ": " + e.output }

// build builds a program after go get of the queries (path@version). On error
// there is nothing to remove.
func (p *Proof) build(ctx context.Context, source string, queries ...string) (*program, error) {
	dir, err := os.MkdirTemp(p.dir, "program-")
	if err != nil {
		return nil, err
	}
	g := &program{dir: dir, src: filepath.Join(dir, "hello")}
	g.env = append(os.Environ(),
		"GOWORK=off", "GOPROXY="+p.proxies, "GONOPROXY=none", "GOSUMDB=off", "GOTOOLCHAIN=local",
		"GOMODCACHE="+filepath.Join(dir, "modcache"),
		// With -trimpath packages do not depend on this directory and are compiled once, not in each run.
		"GOFLAGS=-mod=mod -modcacherw -trimpath -buildvcs=false")
	if err := g.make(ctx, source, queries, !p.offline); err != nil {
		g.remove()
		return nil, err
	}
	return g, nil
}

func (g *program) remove() { os.RemoveAll(g.dir) }

func (g *program) make(ctx context.Context, source string, queries []string, tidy bool) error {
	if err := os.MkdirAll(g.src, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(g.src, "main.go"), []byte(source), 0o644); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"mod", "init", "example.com/hello"},
		append([]string{"get"}, queries...),
		{"mod", "tidy"},
		{"build", "-o", "hello"},
		{"vet"},
	} {
		if isTidy := args[0] == "mod" && args[1] == "tidy"; isTidy && !tidy {
			continue
		}
		if _, err := g.run(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// run runs a go command in the directory of the program and returns its output. A
// command that fails is a *goError.
func (g *program) run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = g.src, g.env
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if ctx.Err() == nil && errors.As(err, new(*exec.ExitError)) {
		return "", &goError{"go " + strings.Join(args, " "), firstLines(stderr.String() + stdout.String())}
	}
	return stdout.String(), err
}

// firstLines returns the first ten lines that are not progress.
func firstLines(output string) string {
	var lines []string
	for line := range strings.Lines(output) {
		isProgress := slices.ContainsFunc([]string{"downloading ", "finding ", "found ", "added ", "upgraded "},
			func(verb string) bool { return strings.HasPrefix(line, "go: "+verb) })
		if line = strings.TrimRight(line, "\n"); line != "" && !isProgress && len(lines) < 10 {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n\t")
}

// Cost is what a program costs its user.
type Cost struct {
	Modules  []string // that were downloaded; go mod tidy also downloads what only tests of dependencies import
	Download int64    // bytes of their zips
	Program  int64    // bytes of the executable
}

// Measure builds a program after go get of query and returns its cost.
func (p *Proof) Measure(ctx context.Context, source, query string) (Cost, error) {
	g, err := p.build(ctx, source, query)
	if err != nil {
		return Cost{}, err
	}
	defer g.remove()
	return g.cost()
}

func (g *program) cost() (Cost, error) {
	binary, err := os.Stat(filepath.Join(g.src, "hello"))
	if err != nil {
		return Cost{}, err
	}
	c := Cost{Program: binary.Size()}
	downloads := filepath.Join(g.dir, "modcache", "cache", "download")
	err = filepath.WalkDir(downloads, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".zip" {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		c.Download += info.Size()
		escaped, _, _ := strings.Cut(filepath.ToSlash(strings.TrimPrefix(name, downloads+string(filepath.Separator))), "/@v/")
		path, err := modpath.UnescapePath(escaped)
		c.Modules = append(c.Modules, path)
		return err
	})
	slices.Sort(c.Modules)
	return c, err
}

// why returns the shortest chain of imports from the program to a module.
func (g *program) why(ctx context.Context, path string) (string, error) {
	out, err := g.run(ctx, "mod", "why", "-m", path)
	lines := slices.DeleteFunc(strings.Fields(out), func(word string) bool { return word == "#" })
	return strings.Join(lines[min(1, len(lines)):], " -> "), err
}

// Hello returns the source of the smallest program that uses a module: it opens
// the backend that the environment names.
func (p *Proof) Hello(m repo.Module) string {
	imports := fmt.Sprintf("cache %q", p.Core().Path)
	if m.Dir != "core" {
		imports += fmt.Sprintf("; _ %q", m.Path)
	}
	return Source(imports, `c, err := cache.Open(ctx, cache.FromEnv(os.Environ()))
	check(err)
	defer c.Close()
	fmt.Println(c.Has(ctx, "hello"))`)
}

// Source returns a program with imports beside those of the standard library, and
// the statements of its main function, which may use ctx and check(err).
func Source(imports, body string) string {
	return `package main

import ("context"; "fmt"; "os"; ` + imports + `)

var ctx = context.Background()

func main() {
	` + body + `
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
`
}
