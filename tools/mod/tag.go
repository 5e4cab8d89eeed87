package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	modpath "golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

func (a *app) tagCommand() *cobra.Command {
	var write bool
	cmd := &cobra.Command{
		Use:   "tag [MODULE[@VERSION]...]",
		Short: "Tag versions, after everything has been checked",
		Long: `Tag versions of modules: of those named, or of all that plan proposes one for.
Without a VERSION it is the proposed one.

Nothing is tagged without --write, and never anything where there is a finding.
Tags are annotated with what the changelog says of the version, and local: the
command that pushes them is printed.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.tag(cmd.Context(), args, write)
		},
	}
	cmd.Flags().BoolVar(&write, "write", false, "make the tags (default: only say what would be done)")
	return cmd
}

// release is a version of a module that is about to be tagged.
type release struct {
	module  module
	Tag     string `json:"tag"`
	Version string `json:"-"`
	Notes   string `json:"notes"` // what the changelog says of it
}

func (a *app) tag(ctx context.Context, args []string, write bool) error {
	w, err := a.open()
	if err != nil {
		return err
	}
	plan, err := w.plan(ctx)
	if err != nil {
		return err
	}
	releases, err := w.releases(args, plan)
	if err != nil {
		return err
	}
	list, err := w.refusals(ctx, releases, plan)
	if err != nil {
		return err
	}
	if len(list) == 0 && len(releases) > 0 { // it takes its time: only where nothing else is wrong
		var modules []module
		for _, r := range releases {
			modules = append(modules, r.module)
		}
		if list, err = a.tryOut(ctx, w, modules); err != nil {
			return err
		}
	}
	if len(list) > 0 {
		return a.report(list)
	}
	return a.makeTags(ctx, w, releases, write)
}

// releases are what args name, or else what is proposed, in the order of plan.
func (w *workspace) releases(args []string, plan []proposal) ([]release, error) {
	chosen := map[string]string{}
	for _, arg := range args {
		dir, version, given := strings.Cut(arg, "@")
		if given && (semver.Canonical(version) != version || semver.Build(version) != "") {
			return nil, fmt.Errorf("%s: %q is no version, want v1.2.3", arg, version)
		}
		chosen[dir] = version
	}
	var releases []release
	for _, p := range plan {
		version, named := chosen[p.Module]
		delete(chosen, p.Module)
		if version == "" {
			version = p.Next
		}
		if len(args) > 0 && !named || len(args) == 0 && version == "" {
			continue
		}
		if version == "" {
			return nil, fmt.Errorf("%s: nothing to release: %s (MODULE@VERSION insists)", p.Module, p.Why)
		}
		i := slices.IndexFunc(w.Modules, func(m module) bool { return m.Dir == p.Module })
		releases = append(releases, release{module: w.Modules[i], Tag: p.Module + "/" + version, Version: version})
	}
	for dir := range chosen {
		return nil, fmt.Errorf("%s is no released module", dir)
	}
	return releases, nil
}

// refusals are the reasons not to tag, and it fills in the notes of releases.
func (w *workspace) refusals(ctx context.Context, releases []release, plan []proposal) (findings, error) {
	all, err := w.verify(ctx)
	if err != nil {
		return nil, err
	}
	list := slices.DeleteFunc(all, func(f finding) bool {
		return f.Module != "" && !slices.ContainsFunc(releases, func(r release) bool { return r.module.Dir == f.Module })
	})
	dirty, err := w.git(ctx, "status", "--porcelain")
	if err != nil {
		return nil, err
	}
	if dirty != "" {
		list.add("", "dirty", "the tree differs from HEAD:\n%s", strings.TrimRight(dirty, "\n"))
	}
	tagged, err := w.versions(ctx)
	if err != nil {
		return nil, err
	}
	for i := range releases {
		r := &releases[i]
		dir := r.module.Dir
		if slices.Contains(tagged[dir], r.Version) {
			list.add(dir, "exists", "%s is a tag already", r.Tag)
		}
		tagged[dir] = append(tagged[dir], r.Version) // those after it may require it
		p := plan[slices.IndexFunc(plan, func(p proposal) bool { return p.Module == dir })]
		if p.Next != "" && semver.Compare(r.Version, p.Next) < 0 && semver.Prerelease(r.Version) == "" {
			list.add(dir, "plan", "%s is too low, want at least %s: %s", r.Version, p.Next, p.Why)
		}
		if modpath.CheckPathMajor(r.Version, pathMajor(r.module.Path)) != nil {
			list.add(dir, "path", "%s does not go with the path %s", r.Version, r.module.Path)
		}
		for _, required := range w.siblings(r.module) {
			sibling, ok := w.find(required.Mod.Path)
			if ok && !slices.Contains(tagged[sibling.Dir], required.Mod.Version) {
				list.add(dir, "sibling", "it requires %s %s, which is not tagged", sibling.Dir, required.Mod.Version)
			}
		}
		for _, required := range p.Requires {
			if required.Broken != "" {
				list.add(dir, "sibling", "it does not build with %s %s, which it requires: %s", required.Module, required.Now, required.Broken)
			}
		}
		changelog, _ := os.ReadFile(filepath.Join(w.Root, dir, "CHANGELOG.md")) // where it is missing verify says so, too
		if r.Notes, _ = section(string(changelog), r.Version); r.Notes == "" {
			list.add(dir, "changelog", "CHANGELOG.md says nothing under ## %s", r.Version)
		}
	}
	return list, nil
}

func (a *app) makeTags(ctx context.Context, w *workspace, releases []release, write bool) error {
	var tags []string
	for _, r := range releases {
		if write {
			message := r.Tag + "\n\n" + r.Notes
			if _, err := w.git(ctx, "tag", "--annotate", "--cleanup=whitespace", "--message", message, r.Tag); err != nil {
				return err
			}
		}
		tags = append(tags, r.Tag)
	}
	if a.json {
		return a.printJSON(map[string]any{"tags": releases, "written": write})
	}
	switch {
	case len(tags) == 0:
		fmt.Fprintln(a.stdout, "nothing to release")
	case write:
		fmt.Fprintf(a.stdout, "tagged:\n  %s\nnow push them together:\n  git push --atomic origin %s\n", strings.Join(tags, "\n  "), strings.Join(tags, " "))
	default:
		fmt.Fprintf(a.stdout, "would tag (--write does it):\n  %s\n", strings.Join(tags, "\n  "))
	}
	return nil
}
