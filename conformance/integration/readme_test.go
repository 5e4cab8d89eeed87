package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	cache "github.com/cachebackends/cachebackends/core"
)

// worksAsShown opens and uses the cache that a line of settings in the README of a
// backend describes, the one that begins so, with real servers in place of those
// that it names: old and new text in turn.
func worksAsShown(t *testing.T, backend, begin string, real ...string) {
	t.Helper()
	settings := strings.Fields(strings.NewReplacer(real...).Replace(readmeLine(t, backend, begin)))
	c, err := cache.Open(t.Context(), cache.FromEnv(settings))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Set(t.Context(), "k", []byte("v")); err != nil {
		t.Fatal(err)
	}
	if value, ok, err := c.Get(t.Context(), "k"); string(value) != "v" || !ok || err != nil {
		t.Errorf("Get = %q, %v, %v", value, ok, err)
	}
}

// readmeLine is a line of code in the README of the backend that is tested.
func readmeLine(t *testing.T, backend, begin string) string {
	t.Helper()
	for _, line := range readmeText(t, backend) {
		if strings.HasPrefix(line, "    "+begin) {
			return line
		}
	}
	t.Fatalf("the README of %s has no line of settings that begins with %q", backend, begin)
	return ""
}

// readmeText returns the lines of the README of the backend that is tested, be it
// the one of this tree or a published one.
func readmeText(t *testing.T, backend string) []string {
	t.Helper()
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", "github.com/cachebackends/cachebackends/"+backend).Output()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.Collect(strings.Lines(string(text)))
}

// moduleVersion returns the version of a module in this test.
func moduleVersion(t *testing.T, path string) string {
	t.Helper()
	version, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Version}}", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(strings.TrimSpace(string(version)), "v")
}
