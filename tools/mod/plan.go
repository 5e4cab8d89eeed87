package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/mod/modfile"
	modpath "golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

func (a *app) planCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "plan",
		Short: "Propose the next version of each module",
		Long: `Propose the next version of each released module, in the order of their release.

Compared are the tree as it is and the last tag of each module that HEAD has. At
v0 a breaking change of the API raises the minor version, from v1 on the major;
an addition raises the minor, all else the patch, as with gorelease. A change of
tests and documentation alone is no release.

Where a module requires a sibling that has changed, it is built against the
version that it requires: only if that fails does the requirement have to rise.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := a.open()
			if err != nil {
				return err
			}
			proposals, err := w.plan(cmd.Context())
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(proposals)
			}
			for _, p := range proposals {
				fmt.Fprint(a.stdout, p)
			}
			return nil
		},
	}
}

const firstVersion = "v0.1.0"

// proposal is what to do about one module.
type proposal struct {
	Module   string        `json:"module"`
	Last     string        `json:"last,omitempty"` // tagged version
	Next     string        `json:"next,omitempty"` // empty: nothing to release
	Why      string        `json:"why"`
	Files    []string      `json:"files,omitempty"` // that have changed since
	API      []change      `json:"api,omitempty"`
	Requires []requirement `json:"requires,omitempty"`
}

// requirement is one on a sibling that has newer versions.
type requirement struct {
	Module string `json:"module"`
	Now    string `json:"now"`
	Newest string `json:"newest"`           // tagged or proposed
	Broken string `json:"broken,omitempty"` // why it has to rise: what does not build with Now
}

func (p proposal) String() string {
	var b strings.Builder
	versions := cmp.Or(p.Last, "-")
	if p.Next != "" {
		versions += " -> " + p.Next
	}
	fmt.Fprintf(&b, "%-12s %-18s %s\n", p.Module, versions, p.Why)
	for _, c := range p.API {
		mark := "+"
		if c.Breaking {
			mark = "!"
		}
		fmt.Fprintf(&b, "    %s %s\n", mark, c.Text)
	}
	for _, r := range p.Requires {
		if r.Broken == "" {
			fmt.Fprintf(&b, "    %s %s may stay, it builds with it (newest: %s)\n", r.Module, r.Now, r.Newest)
		} else {
			fmt.Fprintf(&b, "    %s %s must rise to %s: %s\n", r.Module, r.Now, r.Newest, strings.ReplaceAll(r.Broken, "\n", "\n        "))
		}
	}
	return b.String()
}

// plan proposes versions for the released modules, in the order of their release.
func (w *workspace) plan(ctx context.Context) ([]proposal, error) {
	tagged, err := w.versions(ctx, "--merged", "HEAD")
	if err != nil {
		return nil, err
	}
	exports, err := os.MkdirTemp("", "mod-plan-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(exports)
	p := planner{w: w, tagged: tagged, exports: exports, newest: map[string]string{}}
	var proposals []proposal
	var errs []error // all modules that do not build, not the first alone
	for _, m := range w.released() {
		proposed, err := p.propose(ctx, m)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", m.Dir, err))
		}
		p.newest[m.Path] = cmp.Or(proposed.Next, proposed.Last)
		proposals = append(proposals, proposed)
	}
	return proposals, errors.Join(errs...)
}

type planner struct {
	w       *workspace
	tagged  map[string][]string // versions by directory of their module
	exports string              // directory with the repository as it was, by tag
	newest  map[string]string   // version by path of the modules so far
}

func (p *planner) propose(ctx context.Context, m module) (proposal, error) {
	proposed := proposal{Module: m.Dir, Last: p.last(m)}
	if proposed.Last == "" {
		proposed.Next, proposed.Why = firstVersion, "first release"
		return proposed, nil
	}
	files, err := p.w.changedFiles(ctx, m, proposed.Last)
	if err != nil {
		return proposal{}, err
	}
	proposed.Files = files
	if !slices.ContainsFunc(files, isShipped) {
		proposed.Why = "unchanged"
		if len(files) > 0 {
			proposed.Why = "only tests and documentation have changed"
		}
		if p.follows(m) {
			if _, err := loadAPI(ctx, m.Path, filepath.Join(p.w.Root, m.Dir)); err != nil {
				return proposal{}, fmt.Errorf("%s, but it no longer builds: %w", proposed.Why, err)
			}
		}
		return proposed, nil
	}
	before, err := p.export(ctx, m, proposed.Last)
	if err != nil {
		return proposal{}, err
	}
	if proposed.API, err = diffAPI(ctx, m.Path, before, filepath.Join(p.w.Root, m.Dir)); err != nil {
		return proposal{}, err
	}
	proposed.Next, proposed.Why = next(proposed.Last, proposed.API)
	if err := modpath.CheckPathMajor(proposed.Next, pathMajor(m.Path)); err != nil {
		proposed.Why += fmt.Sprintf("; its path must end in /%s", semver.Major(proposed.Next))
	}
	proposed.Requires, err = p.requirements(ctx, m)
	return proposed, err
}

// follows says whether a sibling that m requires is about to be released.
func (p *planner) follows(m module) bool {
	return slices.ContainsFunc(p.w.siblings(m), func(r *modfile.Require) bool {
		sibling, ok := p.w.find(r.Mod.Path)
		return ok && p.newest[sibling.Path] != p.last(sibling)
	})
}

// last is the last version of m that was tagged, not counting pre-releases.
func (p *planner) last(m module) string {
	for _, version := range slices.Backward(p.tagged[m.Dir]) {
		if semver.Prerelease(version) == "" {
			return version
		}
	}
	return ""
}

// changedFiles lists the files of m that differ from its version.
func (w *workspace) changedFiles(ctx context.Context, m module, version string) ([]string, error) {
	paths := []string{m.Dir}
	for _, other := range w.Modules {
		if within(other.Dir, m.Dir) && other.Dir != m.Dir {
			paths = append(paths, ":(exclude)"+other.Dir)
		}
	}
	files, err := w.gitList(ctx, append([]string{"diff", "--name-only", "-z", "--no-renames", m.Dir + "/" + version, "--"}, paths...)...)
	if err != nil {
		return nil, err
	}
	fresh, err := w.gitList(ctx, append([]string{"ls-files", "--others", "--exclude-standard", "-z", "--"}, paths...)...)
	return append(files, fresh...), err
}

// isShipped says whether a file makes a difference to users of its module.
func isShipped(file string) bool {
	return !strings.HasSuffix(file, "_test.go") && !strings.Contains(file, "/testdata/") &&
		filepath.Ext(file) != ".md" && filepath.Base(file) != "LICENSE"
}

// export returns the directory of m as it was in version, with the repository
// around it as it was then.
func (p *planner) export(ctx context.Context, m module, version string) (string, error) {
	tag := m.Dir + "/" + version
	dir := filepath.Join(p.exports, tag)
	if _, err := os.Stat(dir); err != nil {
		if err := p.w.export(ctx, "refs/tags/"+tag, dir); err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, m.Dir), nil
}

// next is the version after last, and why.
func next(last string, changes []change) (version, why string) {
	var major, minor, patch int
	fmt.Sscanf(semver.Canonical(last), "v%d.%d.%d", &major, &minor, &patch)
	breaking := 0
	for _, c := range changes {
		if c.Breaking {
			breaking++
		}
	}
	switch {
	case breaking > 0 && major > 0:
		return fmt.Sprintf("v%d.0.0", major+1), "breaking change"
	case breaking > 0:
		return fmt.Sprintf("v0.%d.0", minor+1), "breaking change"
	case len(changes) > 0:
		return fmt.Sprintf("v%d.%d.0", major, minor+1), "addition"
	}
	return fmt.Sprintf("v%d.%d.%d", major, minor, patch+1), "fix"
}

// pathMajor is the end of a module path that names its major version: "/v2".
func pathMajor(path string) string {
	_, major, _ := modpath.SplitPathVersion(path)
	return major
}

// requirements looks at those siblings of m that have newer versions than it
// requires. What it requires as proposed here is none of them.
func (p *planner) requirements(ctx context.Context, m module) ([]requirement, error) {
	var list []requirement
	for _, r := range p.w.siblings(m) {
		sibling, ok := p.w.find(r.Mod.Path)
		newest := p.newest[r.Mod.Path]
		if !ok || semver.Compare(newest, r.Mod.Version) <= 0 || !slices.Contains(p.tagged[sibling.Dir], r.Mod.Version) {
			continue
		}
		older, err := p.export(ctx, sibling, r.Mod.Version)
		if err != nil {
			return nil, err
		}
		broken, err := p.against(ctx, m, r.Mod.Path, older)
		if err != nil {
			return nil, err
		}
		list = append(list, requirement{sibling.Dir, r.Mod.Version, newest, broken})
	}
	return list, nil
}

// against says why m as it is does not build with a sibling as it is in dir.
func (p *planner) against(ctx context.Context, m module, sibling, dir string) (string, error) {
	data, err := m.File.Format()
	if err != nil {
		return "", err
	}
	file, err := modfile.Parse("go.mod", data, nil)
	if err != nil {
		return "", err
	}
	if err := file.AddReplace(sibling, "", dir, ""); err != nil {
		return "", err
	}
	if data, err = file.Format(); err != nil {
		return "", err
	}
	temporary, err := os.MkdirTemp(p.exports, "build-")
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(temporary, "go.mod"), data, 0o600); err != nil {
		return "", err
	}
	sums, err := os.ReadFile(filepath.Join(p.w.Root, m.Dir, "go.sum"))
	if err == nil {
		err = os.WriteFile(filepath.Join(temporary, "go.sum"), sums, 0o600)
	}
	if err != nil && !os.IsNotExist(err) {
		return "", err
	}
	if _, err := loadAPI(ctx, m.Path, filepath.Join(p.w.Root, m.Dir), "-modfile="+filepath.Join(temporary, "go.mod")); err != nil {
		return err.Error(), nil
	}
	return "", nil
}
