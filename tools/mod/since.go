package main

import (
	"context"
	"fmt"
	"go/version"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/mod/modfile"

	"github.com/cachebackends/cachebackends/tools/mod/internal/repo"
)

// changesSince compares the API of m with that of a tagged version.
func changesSince(ctx context.Context, r *repo.Repo, m repo.Module, version string) ([]change, error) {
	return changesBetween(ctx, r, m, version, "")
}

// changesBetween compares the API of m in two tagged versions, each within the repository
// as it was then. An empty version is the files as they are now.
func changesBetween(ctx context.Context, r *repo.Repo, m repo.Module, before, after string) ([]change, error) {
	was, removeOld, err := checkout(ctx, r, m, before)
	if err != nil {
		return nil, err
	}
	defer removeOld()
	is, removeNew, err := checkout(ctx, r, m, after)
	if err != nil {
		return nil, err
	}
	defer removeNew()
	return diffAPI(ctx, m.Path, was, is)
}

// checkout returns a directory with the files of a tagged version of m, or its own
// directory if version is empty.
func checkout(ctx context.Context, r *repo.Repo, m repo.Module, version string) (dir string, remove func(), err error) {
	if version == "" {
		return filepath.Join(r.Root, m.Dir), func() {}, nil
	}
	root, err := os.MkdirTemp("", "mod-plan-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { os.RemoveAll(root) }
	files, err := r.Archive(ctx, "refs/tags/"+m.Dir+"/"+version)
	if err == nil {
		err = os.CopyFS(root, files)
	}
	if err != nil {
		remove()
		return "", nil, err
	}
	return filepath.Join(root, m.Dir), remove, nil
}

// requirementsSince returns what a version of m did not require of its users: a newer
// Go, and versions of other modules of the repository that break the API of those
// that it required.
func requirementsSince(ctx context.Context, r *repo.Repo, m repo.Module, last string) ([]change, error) {
	before, err := goModOf(ctx, r, m, last)
	if err != nil {
		return nil, err
	}
	var changes []change
	if was, is := before.Go.Version, m.File.Go.Version; version.Compare("go"+was, "go"+is) < 0 {
		changes = append(changes, change{fmt.Sprintf("go %s: required, before %s", is, was), false})
	}
	tagged, err := r.Versions(ctx)
	if err != nil {
		return nil, err
	}
	for _, required := range r.Siblings(m) {
		was, is := repo.Required(before, required.Path), required.Version
		sibling, ok := r.Find(required.Path)
		if !ok || was == is || !slices.Contains(tagged[sibling.Dir], was) {
			continue
		}
		after := is
		if !slices.Contains(tagged[sibling.Dir], is) {
			after = "" // the next version
		}
		of, err := changesBetween(ctx, r, sibling, was, after)
		if err != nil {
			return nil, fmt.Errorf("requirement of %s: %w", sibling.Dir, err)
		}
		if i := slices.IndexFunc(of, func(c change) bool { return c.Breaking }); i >= 0 {
			changes = append(changes, change{fmt.Sprintf("%s %s: required, which breaks %s: %s", sibling.Dir, is, was, of[i].Text), true})
		}
	}
	return changes, nil
}

// goModOf returns the go.mod of a tagged version of m.
func goModOf(ctx context.Context, r *repo.Repo, m repo.Module, version string) (*modfile.File, error) {
	files, err := r.Archive(ctx, "refs/tags/"+m.Dir+"/"+version+":"+m.Dir)
	if err != nil {
		return nil, err
	}
	text, err := fs.ReadFile(files, "go.mod")
	if err != nil {
		return nil, err
	}
	return modfile.Parse(m.Dir+"/go.mod", text, nil)
}
