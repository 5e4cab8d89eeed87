package main

import (
	"archive/zip"
	"context"
	"os"
	"strings"

	"golang.org/x/mod/semver"
)

// gitList is git for output that is a list: of lines or, with -z, of names.
func (w *workspace) gitList(ctx context.Context, args ...string) ([]string, error) {
	out, err := w.git(ctx, args...)
	return strings.FieldsFunc(out, func(r rune) bool { return r == '\n' || r == 0 }), err
}

// versions are those that tags name, by the directory of their module, the
// latest last. args select tags as for git tag.
func (w *workspace) versions(ctx context.Context, args ...string) (map[string][]string, error) {
	tags, err := w.gitList(ctx, append([]string{"tag", "--list"}, args...)...)
	if err != nil {
		return nil, err
	}
	of := map[string][]string{}
	for _, tag := range tags {
		slash := strings.LastIndex(tag, "/")
		if slash > 0 && semver.IsValid(tag[slash+1:]) {
			of[tag[:slash]] = append(of[tag[:slash]], tag[slash+1:])
		}
	}
	for _, list := range of {
		semver.Sort(list)
	}
	return of, nil
}

// export writes the repository as it was at commit to dir.
func (w *workspace) export(ctx context.Context, commit, dir string) error {
	archive, err := w.git(ctx, "archive", "--format=zip", commit)
	if err != nil {
		return err
	}
	files, err := zip.NewReader(strings.NewReader(archive), int64(len(archive)))
	if err != nil {
		return err
	}
	return os.CopyFS(dir, files)
}
