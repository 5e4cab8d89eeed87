package main

import (
	"strings"
	"testing"
	"time"
)

var january = time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)

func TestMoveUnreleased(t *testing.T) {
	for _, tt := range []struct {
		name, before, after string
		lines               int
	}{
		{
			"first release",
			"# Changelog\n\n## Unreleased\n\n### Added\n\n- All.\n",
			"# Changelog\n\n## Unreleased\n\n## v0.2.0 - 2026-01-31\n\n### Added\n\n- All.\n", 3,
		},
		{
			"earlier sections",
			"# Changelog\n\n## Unreleased\n\n- New.\n\n\n## v0.1.0 - 2025-12-24\n\n- All.\n",
			"# Changelog\n\n## Unreleased\n\n## v0.2.0 - 2026-01-31\n\n- New.\n\n## v0.1.0 - 2025-12-24\n\n- All.\n", 1,
		},
		{
			"moved already",
			"# Changelog\n\n## Unreleased\n\n## v0.2.0 - 2025-12-24\n\n- New.\n",
			"# Changelog\n\n## Unreleased\n\n## v0.2.0 - 2025-12-24\n\n- New.\n", 0,
		},
	} {
		got, lines, err := moveUnreleased(tt.before, "v0.2.0", january)
		if got != tt.after || lines != tt.lines || err != nil {
			t.Errorf("%s: %d lines, %v,\n%s\nwant %d lines,\n%s", tt.name, lines, err, got, tt.lines, tt.after)
		}
		if section(got, "v0.2.0") == "" {
			t.Errorf("%s: tag finds no section", tt.name)
		}
	}
	for before, want := range map[string]string{
		"# Changelog\n\n## v0.2.0\n\n- New.\n":                             `no heading "## Unreleased"`,
		"# Changelog\n\n## Unreleased\n\n## v0.1.0\n\n- All.\n":            "no entries under Unreleased for v0.2.0",
		"# Changelog\n\n## Unreleased\n\n- More.\n\n## v0.2.0\n\n- New.\n": "entries under Unreleased and a section v0.2.0",
	} {
		if _, _, err := moveUnreleased(before, "v0.2.0", january); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", before, err, want)
		}
	}
}

// The recipe of CONTRIBUTING.md: changelog, commit, tag.
func TestChangelogThenTag(t *testing.T) {
	r := newRepository(t)
	r.tagAll()
	r.edit("simple/simple.go", "// Open opens.", "// Shut is new.\nfunc Shut() {}\n\n// Open opens.")
	r.edit("simple/CHANGELOG.md", "## Unreleased\n", "## Unreleased\n\n### Added\n\n- `Shut`.\n")
	r.commit("simple: Shut")
	r.tag().want(t, statusFindings, "simple: CHANGELOG.md has nothing under ## v0.2.0: go run ./tools/mod changelog (changelog)")
	r.mod("changelog").want(t, 0, "simple       v0.2.0   3 lines moved\n")
	r.commit("Changelogs")
	r.tag("--write").want(t, 0, "tagged:\n  simple/v0.2.0\n")
	if text := r.git("for-each-ref", "--format=%(contents)", "refs/tags/simple/v0.2.0"); !strings.HasPrefix(text, "simple/v0.2.0\n\n### Added\n\n- `Shut`.\n") {
		t.Errorf("the tag of simple: %s", text)
	}
	r.mod("changelog").want(t, 0, "")
	if dirty := r.git("status", "--porcelain"); dirty != "" {
		t.Errorf("changelog without a release changed %s", dirty)
	}
}
