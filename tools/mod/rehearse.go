package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cachebackends/cachebackends/tools/mod/internal/proof"
	"github.com/cachebackends/cachebackends/tools/mod/internal/repo"
)

func (a *app) rehearseCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rehearse",
		Short: "Make the next release in a scratch clone, and build users' programs from its tags",
		Long: `Make the release that plan proposes in a scratch clone, with the files as they are
now: changelog, a commit, and tag for one module after the other, in their order.
Then build the program that the README of each module shows, from the tags alone
and without a network: what others publish comes from the module cache.

Nothing of it is left, and the repository is not changed. check is not repeated.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.rehearse(cmd.Context()) },
	}
}

func (a *app) rehearse(ctx context.Context) error {
	here, err := repo.Open(a.root)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "mod-rehearse-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	if err := cloneInto(ctx, here, scratch); err != nil {
		return err
	}
	var printed bytes.Buffer
	there := &app{stdout: &printed, stderr: a.stderr, root: scratch}
	there.check = func(context.Context, *repo.Repo, []repo.Module) (repo.Findings, error) { return nil, nil }
	if err := there.releaseAll(ctx); err != nil {
		fmt.Fprint(a.stdout, printed.String())
		return err
	}
	r, err := repo.Open(scratch)
	if err != nil {
		return err
	}
	if err := downloadOthers(ctx, here); err != nil {
		return err
	}
	list, err := a.prove(ctx, r, r.Released(), buildReadme, proof.Offline)
	if err != nil {
		return err
	}
	return a.report(list)
}

// cloneInto makes a clone of the repository with the files as they are now, committed.
func cloneInto(ctx context.Context, r *repo.Repo, dir string) error {
	tree, err := r.Snapshot(ctx)
	if err != nil {
		return err
	}
	if _, err := r.Git(ctx, "clone", "--quiet", "--shared", "--no-checkout", r.Root, dir); err != nil {
		return err
	}
	clone := &repo.Repo{Root: dir}
	for _, args := range [][]string{
		{"config", "user.name", "rehearsal"},
		{"config", "user.email", "rehearsal@localhost"},
		{"config", "commit.gpgSign", "false"},
		{"config", "tag.gpgSign", "false"},
		{"read-tree", "--reset", "-u", tree},
		{"commit", "--quiet", "--allow-empty", "--message", "Files as they are now"},
	} {
		if _, err := clone.Git(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// releaseAll does what CONTRIBUTING.md says about a release, with one call of tag for
// each module, so that a requirement on a module that comes later is found.
func (a *app) releaseAll(ctx context.Context) error {
	if err := a.changelog(ctx, nil, time.Now().UTC()); err != nil {
		return err
	}
	r, err := repo.Open(a.root)
	if err != nil {
		return err
	}
	if _, err := r.Git(ctx, "commit", "--quiet", "--all", "--allow-empty", "--message", "Changelogs"); err != nil {
		return err
	}
	proposals, err := plan(ctx, r)
	if err != nil {
		return err
	}
	for _, p := range proposals {
		if p.Next == "" {
			continue
		}
		if err := a.tag(ctx, []string{p.Module}, true); err != nil {
			return fmt.Errorf("tag %s: %w", p.Module, err)
		}
	}
	return nil
}

// downloadOthers brings the modules that released modules require into the module
// cache of this machine.
func downloadOthers(ctx context.Context, r *repo.Repo) error {
	for _, m := range r.Released() {
		cmd := exec.CommandContext(ctx, "go", "mod", "download")
		cmd.Dir, cmd.Env = filepath.Join(r.Root, m.Dir), append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: go mod download: %w: %s", m.Dir, err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}

// buildReadme builds the program that the README of a module shows.
func buildReadme(ctx context.Context, p *proof.Proof, m repo.Module) (list repo.Findings, err error) {
	failure, err := p.BuildReadme(ctx, m)
	if failure != "" {
		list.Add(m.Dir, "rehearsal", "the program of its README does not build from the tags: %s", failure)
	}
	return list, err
}
