package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/mod/semver"

	"github.com/cachebackends/cachebackends/tools/mod/internal/repo"
)

func (a *app) tagCommand() *cobra.Command {
	var write bool
	command := &cobra.Command{
		Use:   "tag [MODULE[@VERSION]...]",
		Short: "Tag versions after everything has been checked",
		Long: `Tag versions of the named modules, or of all that plan proposes a version for.
Without VERSION it is the proposed one.

Nothing is tagged without --write, or if verify, check or tag itself finds anything.
Tags are local and annotated with the section of the changelog; the command that
pushes them is printed.`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.tag(cmd.Context(), args, write) },
	}
	command.Flags().BoolVar(&write, "write", false, "make the tags (default: print them)")
	return command
}

// release is a version of a module that is about to be tagged.
type release struct {
	repo.Module
	version  string
	notes    string // section of the changelog
	proposed proposal
}

func (r release) tag() string { return r.Dir + "/" + r.version }

func (a *app) tag(ctx context.Context, args []string, write bool) error {
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
	if len(releases) == 0 {
		fmt.Fprintln(a.stdout, "nothing to release")
		return nil
	}
	list, err := refusals(ctx, r, releases)
	if err != nil {
		return err
	}
	if len(list) == 0 { // only then what takes minutes
		var modules []repo.Module
		for _, release := range releases {
			modules = append(modules, release.Module)
		}
		if list, err = a.check(ctx, r, modules); err != nil {
			return err
		}
	}
	if len(list) > 0 {
		return a.report(list)
	}
	return a.makeTags(ctx, r, releases, write)
}

// chooseReleases returns what args name, or else what is proposed, in the order of
// their release.
func chooseReleases(r *repo.Repo, args []string, proposals []proposal) ([]release, error) {
	chosen := map[string]string{}
	for _, arg := range args {
		dir, version, given := strings.Cut(arg, "@")
		if given && (semver.Canonical(version) != version || semver.Build(version) != "") {
			return nil, fmt.Errorf("%s: %q is not a version such as v1.2.3", arg, version)
		}
		chosen[dir] = version
	}
	var releases []release
	for _, p := range proposals {
		version, named := chosen[p.Module]
		delete(chosen, p.Module)
		if version == "" {
			version = p.Next
		}
		if len(args) > 0 && !named || len(args) == 0 && version == "" {
			continue
		}
		if version == "" {
			return nil, fmt.Errorf("%s: nothing to release: %s (MODULE@VERSION overrides)", p.Module, p.Why)
		}
		m, _ := r.In(p.Module)
		changelog, err := os.ReadFile(filepath.Join(r.Root, m.Dir, changelogFile))
		if err != nil {
			return nil, err
		}
		releases = append(releases, release{m, version, section(string(changelog), version), p})
	}
	for dir := range chosen {
		return nil, fmt.Errorf("%s is not a released module", dir)
	}
	return releases, nil
}

// refusals returns the reasons not to tag.
func refusals(ctx context.Context, r *repo.Repo, releases []release) (repo.Findings, error) {
	all, err := verify(r)
	if err != nil {
		return nil, err
	}
	list := slices.DeleteFunc(all, func(f repo.Finding) bool {
		return f.Module != "" && !slices.ContainsFunc(releases, func(r release) bool { return r.Dir == f.Module })
	})
	dirty, err := r.Git(ctx, "status", "--porcelain")
	if err != nil {
		return nil, err
	}
	if dirty != "" {
		list.Add("", "dirty", "the tree differs from HEAD:\n%s", strings.TrimRight(dirty, "\n"))
	}
	tagged, err := r.Versions(ctx)
	if err != nil {
		return nil, err
	}
	for _, release := range releases {
		dir, version := release.Dir, release.version
		if slices.Contains(tagged[dir], version) {
			list.Add(dir, "exists", "the tag %s exists", release.tag())
		}
		tagged[dir] = append(tagged[dir], version) // later releases may require it
		if p := release.proposed; semver.Compare(version, p.Next) < 0 && semver.Prerelease(version) == "" {
			list.Add(dir, "plan", "%s is too low: at least %s (%s)", version, p.Next, p.Why)
		}
		if !release.Matches(version) {
			list.Add(dir, "path", "%s does not match the path %s", version, release.Path)
		}
		for _, required := range r.Siblings(release.Module) {
			if sibling, ok := r.Find(required.Path); ok && !slices.Contains(tagged[sibling.Dir], required.Version) {
				list.Add(dir, "sibling", "requires %s %s, which is not tagged", sibling.Dir, required.Version)
			}
		}
		if _, err := os.Stat(filepath.Join(r.Root, "docs", "support", dir+".json")); release.Backend() && !release.Wrapper() && err != nil {
			list.Add(dir, "support", "docs/support has no report of the suite: make matrix")
		}
		if release.notes == "" {
			list.Add(dir, "changelog", "%s has nothing under ## %s: go run ./tools/mod changelog", changelogFile, version)
		}
	}
	return list, nil
}

func (a *app) makeTags(ctx context.Context, r *repo.Repo, releases []release, write bool) error {
	var tags []string
	for _, release := range releases {
		if write {
			message := release.tag() + "\n\n" + release.notes
			if _, err := r.Git(ctx, "tag", "--annotate", "--cleanup=whitespace", "--message", message, release.tag()); err != nil {
				return err
			}
		}
		tags = append(tags, release.tag())
	}
	if write {
		fmt.Fprintf(a.stdout, "tagged:\n  %s\npush them together:\n  git push --atomic origin %s\n", strings.Join(tags, "\n  "), strings.Join(tags, " "))
	} else {
		fmt.Fprintf(a.stdout, "would tag (with --write):\n  %s\n", strings.Join(tags, "\n  "))
	}
	return nil
}
