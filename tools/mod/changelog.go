package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cachebackends/cachebackends/tools/mod/internal/repo"
)

func (a *app) changelogCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "changelog [MODULE[@VERSION]...]",
		Short: "Move entries of changelogs to the section of the next version",
		Long: `Move the entries under "## Unreleased" to a section "## v0.2.0 - 2026-01-31", in the
changelogs of the named modules or of all that plan proposes a version for. Without
VERSION it is the proposed one, and the date is that of today (UTC).

tag copies the section into the message of the tag.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.changelog(cmd.Context(), args, time.Now().UTC())
		},
	}
}

func (a *app) changelog(ctx context.Context, args []string, day time.Time) error {
	r, err := repo.Open(a.root)
	if err != nil {
		return err
	}
	proposals, err := plan(ctx, r)
	if err != nil {
		return err
	}
	releases, err := chooseReleases(r, args, proposals)
	if err != nil {
		return err
	}
	for _, release := range releases {
		name := filepath.Join(r.Root, release.Dir, changelogFile)
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		moved, n, err := moveUnreleased(string(text), release.version, day)
		if err != nil {
			return fmt.Errorf("%s/%s: %w", release.Dir, changelogFile, err)
		}
		if err := os.WriteFile(name, []byte(moved), 0o644); err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "%-12s %-8s %d lines moved\n", release.Dir, release.version, n)
	}
	return nil
}

const (
	changelogFile = "CHANGELOG.md"
	unreleased    = "## Unreleased\n"
)

// moveUnreleased returns a changelog whose entries under Unreleased are in a section of
// their own, and the number of their lines. A changelog that has the section already
// keeps it if nothing is under Unreleased.
func moveUnreleased(text, version string, day time.Time) (moved string, lines int, err error) {
	before, rest, ok := strings.Cut(text, unreleased)
	if !ok {
		return "", 0, fmt.Errorf("it has no heading %q", strings.TrimSpace(unreleased))
	}
	entries, after := rest, ""
	if i := strings.Index(rest, "\n## "); i >= 0 {
		entries, after = rest[:i], rest[i:]
	}
	entries = strings.TrimSpace(entries)
	exists := section(text, version) != ""
	switch {
	case exists && entries == "":
		return text, 0, nil
	case exists:
		return "", 0, fmt.Errorf("it has entries under Unreleased and a section %s", version)
	case entries == "":
		return "", 0, fmt.Errorf("it has no entries under Unreleased for %s", version)
	}
	heading := fmt.Sprintf("\n## %s - %s\n\n", version, day.Format(time.DateOnly))
	return before + unreleased + heading + entries + "\n" + after, strings.Count(entries, "\n") + 1, nil
}

// section returns what a changelog says under the heading of a version, "## v0.1.0"
// or "## v0.1.0 - 2026-01-31".
func section(changelog, version string) string {
	var text strings.Builder
	inside := false
	for line := range strings.Lines(changelog) {
		if heading, is := strings.CutPrefix(line, "## "); is {
			inside = strings.HasPrefix(strings.TrimSpace(heading)+" ", version+" ")
		} else if inside {
			text.WriteString(line)
		}
	}
	return strings.TrimSpace(text.String())
}
