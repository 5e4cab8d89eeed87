package main

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	text := call(nil, "version")
	if text.status != 0 || !strings.HasPrefix(text.stdout, "cachectl "+version()+"\n") || !strings.Contains(text.stdout, "\nCACHE_TYPE: ") {
		t.Errorf("got %+v", text)
	}
	fields := decode(t, call(nil, "version", "--json").stdout)
	backends, _ := fields["backends"].([]any)
	if fields["go"] != runtime.Version() || fields["platform"] != runtime.GOOS+"/"+runtime.GOARCH || !slices.Contains(backends, any("redis")) {
		t.Errorf("got %v", fields)
	}
	release = "1.2.3"
	defer func() { release = "" }()
	if got := call(nil, "--version"); !strings.Contains(got.stdout, "cachectl version 1.2.3 ") {
		t.Errorf("a released binary: %+v", got)
	}
}

func TestManPages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man")
	call(nil, "man", dir).want(t, 0, "")
	for page, want := range map[string]string{
		"cachectl.1":      "cachectl-copy(1)",
		"cachectl-copy.1": "OLD_CACHE_TYPE",
		"cachectl-warm.1": "KEY<TAB>VALUE",
		"cachectl-exec.1": "--cache-failures",
	} {
		text, err := os.ReadFile(filepath.Join(dir, page))
		if err != nil {
			t.Fatal(err)
		}
		if plain := strings.NewReplacer(`\fB`, "", `\fP`, "", `\_`, "_", `\-`, "-").Replace(string(text)); !strings.Contains(plain, want) {
			t.Errorf("%s has no %q", page, want)
		}
	}
	if o := call(nil, "--help"); strings.Contains(o.stdout, "man ") {
		t.Error("man is in the help: it is for releases")
	}
}

// Everybody finds a command by its group, and every flag has a meaning.
func TestHelpOfEveryCommand(t *testing.T) {
	a := &app{}
	for _, cmd := range a.rootCommand().Commands() {
		if cmd.Hidden {
			continue
		}
		if cmd.GroupID == "" || cmd.Short == "" {
			t.Errorf("%s has no group or no description", cmd.Name())
		}
		if o := call(nil, cmd.Name(), "--help"); o.status != 0 || !strings.Contains(o.stdout, "Usage:") || o.stderr != "" {
			t.Errorf("%s --help: %+v", cmd.Name(), o)
		}
	}
}
