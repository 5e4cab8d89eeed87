package main

import (
	"go/version"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	modpath "golang.org/x/mod/module"
)

// clients are what backends may require beside core: their client and no more.
// What it requires itself is compared with a golden list by check. A module that
// is not named here requires nothing else at all.
var clients = map[string][]string{
	"redis":     {"github.com/redis/go-redis/v9"},
	"memcached": {"github.com/bradfitz/gomemcache"},
	"gcs":       {"cloud.google.com/go/storage", "google.golang.org/api"},
}

// isForTests says whether a path is of what serves tests, and would reach every
// user of a module whose tests import it: `go mod tidy` looks at those, too.
func isForTests(path string) bool { return under(path, forbidden) || under(path, notByUs) }

// within says whether the import path is that of parent or below it.
func within(path, parent string) bool {
	return path == parent || strings.HasPrefix(path, parent+"/")
}

// verifyGoLines compares the go lines: go.work needs the highest, and a module
// that requires core alone has no reason for a higher one than core.
func (w *workspace) verifyGoLines(f *findings) {
	core, _ := w.find(w.Path + "/core")
	goLine := func(m module) string {
		if m.File.Go == nil {
			return ""
		}
		return m.File.Go.Version
	}
	for _, m := range w.Modules {
		switch line := goLine(m); {
		case line == "":
			f.add(m.Dir, "go", "go.mod has no go line")
		case version.Compare("go"+w.Go, "go"+line) < 0:
			f.add(m.Dir, "go", "go %s is newer than the go %s of go.work", line, w.Go)
		case m.Released() && clients[m.Dir] == nil && line != goLine(core):
			f.add(m.Dir, "go", "go %s, but it requires core alone, which says go %s", line, goLine(core))
		}
	}
}

// verifyReplaces checks that a clone finds each sibling in its own directory.
func (w *workspace) verifyReplaces(m module, f *findings) {
	replaced := map[string]*modfile.Replace{}
	for _, r := range m.File.Replace {
		replaced[r.Old.Path] = r
		if m.Released() && !w.owns(r.Old.Path) {
			f.add(m.Dir, "requires", "the replace of %s: users do not get it", r.Old.Path)
		}
	}
	for _, r := range w.siblings(m) {
		sibling, ok := w.find(r.Mod.Path)
		if !ok {
			f.add(m.Dir, "requires", "%s is no module of go.work", r.Mod.Path)
			continue
		}
		got := replaced[r.Mod.Path]
		if got == nil || got.Old.Version != "" || path.Join(m.Dir, got.New.Path) != sibling.Dir {
			relative, _ := filepath.Rel(m.Dir, sibling.Dir)
			f.add(m.Dir, "requires", "go.mod needs: replace %s => %s", r.Mod.Path, dotted(filepath.ToSlash(relative)))
		}
	}
}

// dotted begins with a dot, as paths of go.mod and go.work must.
func dotted(relative string) string {
	if strings.HasPrefix(relative, ".") {
		return relative
	}
	return "./" + relative
}

// verifyRequires checks what a released module requires, of siblings and others.
func (w *workspace) verifyRequires(m module, f *findings) {
	core := w.Path + "/core"
	for _, r := range m.File.Require {
		name := r.Mod.Path
		switch {
		case isForTests(name):
			f.add(m.Dir, "requires", "%s is for tests: they belong into conformance/integration", name)
		case w.owns(name) && name != core:
			f.add(m.Dir, "requires", "%s: released modules require no sibling but core", name)
		case name == core || slices.Contains(clients[m.Dir], name):
		case clients[m.Dir] == nil:
			f.add(m.Dir, "requires", "%s: it may require core alone", name)
		case !r.Indirect:
			f.add(m.Dir, "requires", "%s: it may require core and %s", name, strings.Join(clients[m.Dir], ", "))
		}
	}
}

// verifyVersions checks that siblings are required at versions that exist: tagged,
// about to be (their changelog has the section), or the first of all.
func (w *workspace) verifyVersions(m module, tagged map[string][]string, f *findings) {
	for _, r := range w.siblings(m) {
		sibling, ok := w.find(r.Mod.Path)
		if !ok {
			continue // verifyReplaces says so
		}
		want := r.Mod.Version
		switch {
		case want == "v0.0.0" || modpath.IsPseudoVersion(want):
			f.add(m.Dir, "versions", "%s %s is a placeholder: users cannot get it", r.Mod.Path, want)
		case slices.Contains(tagged[sibling.Dir], want), len(tagged[sibling.Dir]) == 0 && want == firstVersion:
		default:
			changelog, err := os.ReadFile(filepath.Join(w.Root, sibling.Dir, "CHANGELOG.md"))
			if _, ok := section(string(changelog), want); err != nil || !ok {
				f.add(m.Dir, "versions", "%s %s: there is neither a tag nor a section of its changelog", r.Mod.Path, want)
			}
		}
	}
}
