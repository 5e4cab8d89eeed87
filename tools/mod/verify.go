package main

import (
	"bytes"
	"go/version"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cachebackends/cachebackends/tools/mod/internal/repo"
)

// mayRequire lists what released modules may require directly, beside core and the module
// whose directory they are in: their client. go mod tidy makes imports require what they
// need, those of tests too. What comes with a client is compared with a golden file by check.
var mayRequire = map[string][]string{
	"redis":     {"github.com/redis/go-redis/v9"},
	"memcached": {"github.com/bradfitz/gomemcache"},
	"gcs":       {"cloud.google.com/go/storage", "google.golang.org/api"},

	"observe/otel":       {"go.opentelemetry.io/otel", "go.opentelemetry.io/otel/metric", "go.opentelemetry.io/otel/trace"},
	"observe/prometheus": {"github.com/prometheus/client_golang"},
}

func (a *app) verifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "Check lists of modules, requirements and files",
		Long: `Check that go.work lists all modules and README.md all backends, that go.mod files
replace siblings by their directories and released modules require only core and
their client, that each released module has its documentation, changelog, licence
and, for a backend, a test in conformance/integration, that dependabot updates all
modules, and that workflows name actions by the hash of a commit.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			r, err := repo.Open(a.root)
			if err != nil {
				return err
			}
			list, err := verify(r)
			if err != nil {
				return err
			}
			return a.report(list)
		},
	}
}

func verify(r *repo.Repo) (repo.Findings, error) {
	var list repo.Findings
	if err := verifyList(r, &list); err != nil {
		return nil, err
	}
	if err := verifyTable(r, &list); err != nil {
		return nil, err
	}
	if err := verifyGitHub(r, &list); err != nil {
		return nil, err
	}
	for _, m := range r.Modules {
		verifyReplaces(r, m, &list)
		if m.Released() {
			verifyRequires(r, m, &list)
			verifyFiles(r, m, &list)
		}
	}
	return list, nil
}

// verifyList compares go.work with the directories that have a go.mod.
func verifyList(r *repo.Repo, list *repo.Findings) error {
	for _, m := range r.Modules {
		if want := r.Path + "/" + m.Dir; m.Path != want && path.Dir(m.Path) != want { // or want/v2
			list.Add(m.Dir, "modules", "its path is %s, want %s", m.Path, want)
		}
	}
	return filepath.WalkDir(r.Root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := entry.Name()
		if entry.IsDir() && name != r.Root && (base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")) {
			return fs.SkipDir
		}
		if base != "go.mod" {
			return nil
		}
		dir, err := filepath.Rel(r.Root, filepath.Dir(name))
		if _, listed := r.In(filepath.ToSlash(dir)); err == nil && !listed {
			list.Add(filepath.ToSlash(dir), "modules", "go.work does not list it")
		}
		return err
	})
}

// tableRow matches the beginning of a row in the table of backends: "| [redis](redis) |".
var tableRow = regexp.MustCompile(`(?m)^\| \[(\w+)\]\((\w+)\) \|`)

// verifyTable compares the table of backends in README.md with the modules.
func verifyTable(r *repo.Repo, list *repo.Findings) error {
	readme, err := os.ReadFile(filepath.Join(r.Root, "README.md"))
	if err != nil {
		return err
	}
	rows := map[string]bool{}
	for _, row := range tableRow.FindAllStringSubmatch(string(readme), -1) {
		rows[row[2]] = true
		if m, ok := r.In(row[2]); !ok || !m.Released() {
			list.Add("", "readme", "README.md has a row for %s, which is not a module", row[2])
		}
	}
	for _, m := range r.Modules {
		if m.Backend() && !rows[m.Dir] {
			list.Add(m.Dir, "readme", "README.md has no row for it in the table of backends")
		}
	}
	return nil
}

// verifyReplaces checks that a clone finds each sibling in its own directory.
func verifyReplaces(r *repo.Repo, m repo.Module, list *repo.Findings) {
	replaced := map[string]string{}
	for _, replace := range m.File.Replace {
		replaced[replace.Old.Path] = replace.New.Path
		if m.Released() && !strings.HasPrefix(replace.Old.Path, r.Path+"/") {
			list.Add(m.Dir, "requirements", "users do not get the replace of %s", replace.Old.Path)
		}
	}
	for _, required := range r.Siblings(m) {
		sibling, ok := r.Find(required.Path)
		if !ok {
			list.Add(m.Dir, "requirements", "%s is not a module of go.work", required.Path)
		} else if path.Join(m.Dir, replaced[required.Path]) != sibling.Dir {
			list.Add(m.Dir, "requirements", "go.mod does not replace %s by its directory", required.Path)
		}
	}
}

// verifyRequires checks the requirements of a released module. A module that
// requires core alone must not need a newer Go than core.
func verifyRequires(r *repo.Repo, m repo.Module, list *repo.Findings) {
	allowed := append([]string{r.Core().Path}, mayRequire[m.Dir]...)
	if above, ok := r.In(path.Dir(m.Dir)); ok {
		allowed = append(allowed, above.Path)
	}
	for _, required := range m.File.Require {
		if name := required.Mod.Path; !required.Indirect && !slices.Contains(allowed, name) {
			list.Add(m.Dir, "requirements", "requires %s; allowed: %s", name, strings.Join(allowed, ", "))
		}
	}
	if line, core := m.File.Go.Version, r.Core().File.Go.Version; mayRequire[m.Dir] == nil && version.Compare("go"+line, "go"+core) > 0 {
		list.Add(m.Dir, "go", "needs go %s, but requires only core, which needs go %s", line, core)
	}
}

func verifyFiles(r *repo.Repo, m repo.Module, list *repo.Findings) {
	read := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join(r.Root, m.Dir, name))
		if err != nil || len(bytes.TrimSpace(text)) == 0 {
			list.Add(m.Dir, "files", "%s is missing or empty", name)
		}
		return text
	}
	read("README.md")
	if text := read("CHANGELOG.md"); text != nil && !bytes.Contains(text, []byte("\n## Unreleased\n")) {
		list.Add(m.Dir, "files", "CHANGELOG.md has no section Unreleased")
	}
	if text := read("doc.go"); text != nil && !bytes.HasPrefix(text, []byte("// Package ")) {
		list.Add(m.Dir, "files", "doc.go does not begin with // Package")
	}
	ours, _ := os.ReadFile(filepath.Join(r.Root, "LICENSE"))
	if text := read("LICENSE"); text != nil && !bytes.Equal(text, ours) {
		list.Add(m.Dir, "files", "LICENSE is not that of the repository")
	}
	if m.Backend() {
		read("../" + repo.Integration + "/" + m.Dir + "_test.go")
	}
}
