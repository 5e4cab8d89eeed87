package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/mod/semver"

	"github.com/cachebackends/cachebackends/tools/mod/internal/repo"
)

func (a *app) planCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "plan",
		Short: "Propose the next version of each module",
		Long: `Propose the next version of each released module, in the order of their release.

The files as they are now are compared with the last tag that HEAD has. At v0 a
breaking change of the API changes the minor version, from v1 on the major; an
addition changes the minor, anything else the patch, as with gorelease. A change
of tests and documentation alone is not released.

A requirement is weighed too: a module that now requires a version of another module
of the repository with breaking changes brings these to its users, and is breaking
itself. A newer Go is an addition.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := repo.Open(a.root)
			if err != nil {
				return err
			}
			proposals, err := plan(cmd.Context(), r)
			if err != nil {
				return err
			}
			for _, p := range proposals {
				fmt.Fprint(a.stdout, p)
			}
			return nil
		},
	}
}

// proposal is the next version of one module.
type proposal struct {
	Module  string // directory
	Last    string // tagged version; empty: none
	Next    string // empty: nothing to release
	Why     string
	Files   []string // that have changed since Last
	Changes []change // of the API and of requirements
}

func (p proposal) String() string {
	var b strings.Builder
	versions := cmp.Or(p.Last, "-")
	if p.Next != "" {
		versions += " -> " + p.Next
	}
	fmt.Fprintf(&b, "%-12s %-18s %s\n", p.Module, versions, p.Why)
	for _, c := range p.Changes {
		mark := "+"
		if c.Breaking {
			mark = "!"
		}
		fmt.Fprintf(&b, "    %s %s\n", mark, c.Text)
	}
	return b.String()
}

// plan proposes versions for the released modules, in the order of their release.
func plan(ctx context.Context, r *repo.Repo) ([]proposal, error) {
	tagged, err := r.Versions(ctx, "--merged", "HEAD")
	if err != nil {
		return nil, err
	}
	tree, err := r.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	var proposals []proposal
	var errs []error // of all modules that do not compile
	for _, m := range r.Released() {
		p, err := propose(ctx, r, m, lastRelease(tagged[m.Dir]), tree)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", m.Dir, err))
		}
		proposals = append(proposals, p)
	}
	return proposals, errors.Join(errs...)
}

// lastRelease returns the last version that is not a pre-release, "" for none.
func lastRelease(versions []string) string {
	for _, v := range slices.Backward(versions) {
		if semver.Prerelease(v) == "" {
			return v
		}
	}
	return ""
}

func propose(ctx context.Context, r *repo.Repo, m repo.Module, last, tree string) (proposal, error) {
	p := proposal{Module: m.Dir, Last: last}
	if last == "" {
		p.Next, p.Why = repo.FirstVersion, "first release"
		return p, nil
	}
	var err error
	if p.Files, err = r.Changed(ctx, m, last, tree); err != nil {
		return p, err
	}
	switch {
	case len(p.Files) == 0:
		p.Why = "unchanged"
		return p, nil
	case !slices.ContainsFunc(p.Files, isShipped):
		p.Why = "only tests and documentation have changed"
		return p, nil
	}
	api, err := changesSince(ctx, r, m, last)
	if err != nil {
		return p, err
	}
	requirements, err := requirementsSince(ctx, r, m, last)
	if err != nil {
		return p, err
	}
	p.Changes = slices.Concat(api, requirements)
	breaking := slices.ContainsFunc(p.Changes, func(c change) bool { return c.Breaking })
	p.Next = repo.NextVersion(last, breaking, len(p.Changes) > 0)
	switch {
	case breaking:
		p.Why = "breaking change"
	case len(p.Changes) > 0:
		p.Why = "addition"
	default:
		p.Why = "fix"
	}
	if !m.Matches(p.Next) {
		p.Why += "; its path must end in /" + semver.Major(p.Next)
	}
	return p, nil
}

// isShipped reports whether a file makes a difference to users of its module.
func isShipped(file string) bool {
	return !strings.HasSuffix(file, "_test.go") && !strings.Contains(file, "/testdata/") &&
		filepath.Ext(file) != ".md" && filepath.Base(file) != "LICENSE"
}
