package repo

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	modpath "golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// Git runs git in the repository and returns its output.
func (r *Repo) Git(ctx context.Context, args ...string) (string, error) {
	return r.git(ctx, nil, args...)
}

func (r *Repo) git(ctx context.Context, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = r.Root
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "", fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(exit.Stderr)))
	}
	return string(out), err
}

// Snapshot returns the hash of a tree with all files that git does not ignore, as
// they are now. It is what HEAD would hold if they were committed.
func (r *Repo) Snapshot(ctx context.Context) (tree string, err error) {
	dir, err := os.MkdirTemp("", "mod-index-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	index := []string{"GIT_INDEX_FILE=" + filepath.Join(dir, "index")}
	if _, err := r.git(ctx, index, "add", "--all"); err != nil {
		return "", err
	}
	tree, err = r.git(ctx, index, "write-tree")
	return strings.TrimSpace(tree), err
}

// Versions returns the tagged versions by directory of their module, the latest
// last. args select tags as for git tag. A shallow clone is an error because it
// lacks tags.
func (r *Repo) Versions(ctx context.Context, args ...string) (map[string][]string, error) {
	shallow, err := r.Git(ctx, "rev-parse", "--is-shallow-repository")
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(shallow) == "true" {
		return nil, errors.New("a shallow clone lacks the tags of earlier versions: git fetch --unshallow --tags")
	}
	tags, err := r.Git(ctx, append([]string{"tag", "--list"}, args...)...)
	if err != nil {
		return nil, err
	}
	versions := map[string][]string{}
	for _, tag := range strings.Fields(tags) {
		slash := strings.LastIndex(tag, "/")
		if slash > 0 && semver.IsValid(tag[slash+1:]) {
			versions[tag[:slash]] = append(versions[tag[:slash]], tag[slash+1:])
		}
	}
	for _, list := range versions {
		semver.Sort(list)
	}
	return versions, nil
}

// Changed lists the files of m in which a tree differs from a version.
func (r *Repo) Changed(ctx context.Context, m Module, version, tree string) ([]string, error) {
	args := []string{"diff", "--name-only", "-z", "--no-renames", m.Dir + "/" + version, tree, "--", m.Dir}
	for _, other := range r.Modules {
		if strings.HasPrefix(other.Dir, m.Dir+"/") {
			args = append(args, ":(exclude)"+other.Dir)
		}
	}
	out, err := r.Git(ctx, args...)
	return slices.DeleteFunc(strings.Split(out, "\x00"), func(name string) bool { return name == "" }), err
}

// Archive returns the files of a commit or tree; "COMMIT:DIR" is a directory of it.
func (r *Repo) Archive(ctx context.Context, tree string) (*zip.Reader, error) {
	archive, err := r.Git(ctx, "archive", "--format=zip", tree)
	if err != nil {
		return nil, err
	}
	return zip.NewReader(strings.NewReader(archive), int64(len(archive)))
}

// NextVersion returns the version after last: with a change of the major version
// for breaking changes (at v0 of the minor), of the minor for additions, else of
// the patch.
func NextVersion(last string, breaking, addition bool) string {
	var major, minor, patch int
	fmt.Sscanf(semver.Canonical(last), "v%d.%d.%d", &major, &minor, &patch) // canonical versions match
	switch {
	case breaking && major > 0:
		return fmt.Sprintf("v%d.0.0", major+1)
	case breaking, addition:
		return fmt.Sprintf("v%d.%d.0", major, minor+1)
	}
	return fmt.Sprintf("v%d.%d.%d", major, minor, patch+1)
}

// Matches reports whether a module with the path of m can have the version.
func (m Module) Matches(version string) bool {
	return modpath.CheckPathMajor(version, m.PathMajor()) == nil
}
