package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	modpath "golang.org/x/mod/module"
)

// consumer is a user who has nothing yet: a new program in a module of its own,
// and an empty module cache.
type consumer struct {
	dir     string // of both
	program string
	cache   string // GOMODCACHE
	env     []string
}

// newConsumer makes one in dir. Modules come from the proxies, in the form of
// GOPROXY, and from nowhere else.
func newConsumer(dir, proxies string) (*consumer, error) {
	c := &consumer{dir: dir, program: filepath.Join(dir, "hello"), cache: filepath.Join(dir, "modcache")}
	c.env = append(os.Environ(),
		"GOWORK=off", "GOPROXY="+proxies, "GONOPROXY=none", "GOSUMDB=off", "GOTOOLCHAIN=local",
		"GOMODCACHE="+c.cache,
		// Without the path of this directory in them, packages are compiled once and not in each run.
		"GOFLAGS=-mod=mod -modcacherw -trimpath -buildvcs=false")
	return c, os.MkdirAll(c.program, 0o755)
}

// goFailure is a go command that ran and said no.
type goFailure struct {
	command string
	output  string
}

func (e *goFailure) Error() string { return e.command + ": " + e.output }

// run runs a go command in the program's directory, and returns what it writes
// to standard output.
func (c *consumer) run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = c.program, c.env
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if ctx.Err() == nil && errors.As(err, &exit) {
		return "", &goFailure{"go " + strings.Join(args, " "), complaint(stderr.String() + stdout.String())}
	}
	return stdout.String(), err
}

// complaint drops the lines of progress from what a go command wrote, and cuts
// what is left.
func complaint(output string) string {
	var lines []string
	for line := range strings.Lines(output) {
		if line = strings.TrimRight(line, "\n"); line == "" || progress(line) {
			continue
		}
		if lines = append(lines, line); len(lines) == 10 {
			break
		}
	}
	return strings.Join(lines, "\n\t")
}

func progress(line string) bool {
	return slices.ContainsFunc([]string{"go: downloading ", "go: finding ", "go: found ", "go: added ", "go: upgraded "},
		func(prefix string) bool { return strings.HasPrefix(line, prefix) })
}

// build writes the program, gets what queries name (path@version), and builds it
// the way a user does.
func (c *consumer) build(ctx context.Context, source string, queries ...string) error {
	if err := os.WriteFile(filepath.Join(c.program, "main.go"), []byte(source), 0o644); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"mod", "init", "example.com/hello"},
		append([]string{"get"}, queries...),
		{"mod", "tidy"},
		{"build", "-o", "hello"},
		{"vet"},
	} {
		if _, err := c.run(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// pulled is what a program costs its user.
type pulled struct {
	Modules  []string `json:"modules"`  // whose zips came; go mod tidy wants those, too, that only tests of dependencies import
	Compiled int      `json:"compiled"` // of them, into the program
	SumLines int      `json:"sumLines"` // of go.sum
	Download int64    `json:"download"` // bytes of the zips
	Program  int64    `json:"program"`  // bytes of the binary
}

// pulled says what build brought.
func (c *consumer) pulled(ctx context.Context) (pulled, error) {
	var p pulled
	downloads := filepath.Join(c.cache, "cache", "download")
	err := filepath.WalkDir(downloads, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".zip" {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		p.Download += info.Size()
		rel, err := filepath.Rel(downloads, name)
		if err != nil {
			return err
		}
		escaped, _, _ := strings.Cut(filepath.ToSlash(rel), "/@v/")
		path, err := modpath.UnescapePath(escaped)
		p.Modules = append(p.Modules, path)
		return err
	})
	if err != nil {
		return p, err
	}
	slices.Sort(p.Modules)
	imported, err := c.run(ctx, "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}")
	if err != nil {
		return p, err
	}
	compiled := strings.Fields(imported)
	slices.Sort(compiled)
	p.Compiled = len(slices.Compact(compiled))
	sums, err := os.ReadFile(filepath.Join(c.program, "go.sum"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return p, err
	}
	p.SumLines = strings.Count(string(sums), "\n")
	binary, err := os.Stat(filepath.Join(c.program, "hello"))
	if err != nil {
		return p, err
	}
	p.Program = binary.Size()
	return p, nil
}

// why is the shortest chain of imports by which a module came, from the program on.
func (c *consumer) why(ctx context.Context, path string) ([]string, error) {
	out, err := c.run(ctx, "mod", "why", "-m", path)
	if err != nil {
		return nil, err
	}
	var chain []string
	for line := range strings.Lines(out) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			chain = append(chain, line)
		}
	}
	return chain, nil
}
