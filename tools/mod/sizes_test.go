package main

import (
	"strings"
	"testing"
)

// The others cannot be downloaded here: their rows are left out, and that is said.
func TestSizes(t *testing.T) {
	modcache(t, nil)
	r := newPublished(t)
	r.write("README.md", "# Caches\n\n"+sizesBegin+"old\n"+sizesEnd+"The end.\n")
	r.mod("check", "simple").want(t, statusFinding, "simple: README.md lacks the row | simple | 2 | 4 |")
	r.mod("sizes", "--write").want(t, 0, "sizes go-redis/cache/v9 v9.0.0\nleft out: ")
	r.mod("check", "simple", "redis").want(t, 0)
	readme := r.read("README.md")
	if !strings.HasPrefix(readme, "# Caches\n\n"+sizesBegin+"| a program over |") || !strings.HasSuffix(readme, sizesEnd+"The end.\n") || strings.Contains(readme, "old") {
		t.Errorf("README.md is\n%s", readme)
	}
	r.mod("sizes").want(t, 0, "| redis | 2 | 4 | 2 | 0.00 MB | ")
	r.mod("sizes", "--json").want(t, 0, `"name": "simple"`, `"sumLines": 4`)
	r.write("README.md", "# Caches\n")
	r.mod("sizes", "--write").want(t, statusFault, "README.md has no lines <!-- sizes --> and <!-- /sizes -->")
}

func TestReadableVersion(t *testing.T) {
	for version, want := range map[string]string{
		"v9.0.0":                             "v9.0.0",
		"v0.0.0-20260422231931-4d751bb6e37c": "of 2026-04-22",
	} {
		if got := readable(version); got != want {
			t.Errorf("readable(%s) = %s, want %s", version, got, want)
		}
	}
}
