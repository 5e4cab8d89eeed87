package docs

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
)

var update = flag.Bool("update", false, "write the outputs of programs and the programs in pages anew")

// Each program prints what is in its output.txt, which its page shows. Those that need
// Redis get the address of one in CACHE_REDIS_URL; the others do not read it.
func TestPrograms(t *testing.T) {
	if testing.Short() {
		t.Skip("linking the programs takes most of a minute")
	}
	for _, dir := range programs(t) {
		t.Run(dir, func(t *testing.T) {
			t.Parallel()
			url := "redis://" + miniredis.RunT(t).Addr() + "/0"
			program := func() string { return output(t, url, ".", "go", "run", "-ldflags=-s -w", "./programs/"+dir) }
			if _, err := os.Stat("programs/" + dir + "/app.py"); err != nil {
				compare(t, "programs/"+dir+"/output.txt", program())
				return
			}
			interpreter, err := flaskPython()
			if err != nil {
				output(t, url, ".", "go", "vet", "./programs/"+dir)
				if os.Getenv("CONFORMANCE_STRICT") == "1" {
					t.Fatal(err)
				}
				t.Skip(err)
			}
			// The program in Go runs between two runs of the one in Python.
			python := func() string {
				args := slices.Concat(interpreter[1:], []string{"-B", "-c", "import app; app.main()"})
				return output(t, url, "programs/"+dir, interpreter[0], args...)
			}
			compare(t, "programs/"+dir+"/output.txt", python()+program()+python())
		})
	}
}

// flaskPython returns the command that begins a Python with Flask-Caching, of this machine
// or of the servers' image.
func flaskPython() (command []string, err error) {
	const python, imports = "/usr/bin/python3", "import flask_caching, redis"
	if exec.Command(python, "-c", imports).Run() == nil {
		return []string{python}, nil
	}
	run, err := filepath.Abs("../../conformance/integration/servers/run.sh")
	if err != nil {
		return nil, err
	}
	if out, err := exec.Command("sh", run, python, "-c", imports).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("needs python3-flask-caching and python3-redis, or Docker with the image that make servers builds: %w %s", err, out)
	}
	return []string{"sh", run, python}, nil
}

// output runs a command, and returns what it prints.
func output(t *testing.T, url, dir, name string, args ...string) string {
	t.Helper()
	var stderr strings.Builder
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CACHE_REDIS_URL="+url)
	cmd.Stderr = &stderr
	got, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	return string(got)
}

// A program over this library prints what the program before the migration printed.
func TestMigrations(t *testing.T) {
	befores, err := filepath.Glob("programs/*/before/output.txt")
	if err != nil || len(befores) == 0 {
		t.Fatal("no programs before a migration:", err)
	}
	for _, before := range befores {
		after := filepath.Join(filepath.Dir(before), "../after/output.txt")
		if read(t, after) != read(t, before) {
			t.Errorf("%s differs from %s", after, before)
		}
	}
}

// programs returns the directories of programs, relative to programs.
func programs(t *testing.T) (dirs []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS("programs"), ".", func(name string, _ fs.DirEntry, err error) error {
		if filepath.Base(name) == "main.go" {
			dirs = append(dirs, filepath.ToSlash(filepath.Dir(name)))
		}
		return err
	})
	if err != nil || len(dirs) == 0 {
		t.Fatal("no programs:", err)
	}
	return dirs
}

// compare compares the content of a file with want, or writes it.
func compare(t *testing.T, name, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, wanted := strings.Split(read(t, name), "\n"), strings.Split(want, "\n")
	line := 0
	for line < min(len(got), len(wanted)) && got[line] == wanted[line] {
		line++
	}
	if line < max(len(got), len(wanted)) {
		t.Errorf("%s:%d is stale (cd tools/docs && go test -update .), want\n%.300s", name, line+1, strings.Join(wanted[line:], "\n"))
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
