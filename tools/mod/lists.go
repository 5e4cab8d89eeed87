package main

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// dirs are the directories of the modules.
func (w *workspace) dirs() []string {
	var dirs []string
	for _, m := range w.Modules {
		dirs = append(dirs, m.Dir)
	}
	return dirs
}

// verifyDisk compares go.work with the directories that have a go.mod.
func (w *workspace) verifyDisk(f *findings) error {
	for _, m := range w.Modules {
		if want := w.Path + "/" + m.Dir; m.Path != want && path.Dir(m.Path) != want { // or want/v2
			f.add(m.Dir, "modules", "its path is %s, want %s", m.Path, want)
		}
	}
	listed := w.dirs()
	return filepath.WalkDir(w.Root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := entry.Name()
		if entry.IsDir() && name != w.Root && (base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")) {
			return fs.SkipDir
		}
		if base != "go.mod" {
			return nil
		}
		dir, err := filepath.Rel(w.Root, filepath.Dir(name))
		if err == nil && !slices.Contains(listed, filepath.ToSlash(dir)) {
			f.add(filepath.ToSlash(dir), "modules", "go.work does not list it")
		}
		return err
	})
}

var (
	// A list of a workflow: "module: [core, null]", or the same in lines of "- core".
	flowList  = regexp.MustCompile(`(?m)^\s*(?:modules?|dir):\s*\[([^\]$]*)\]`)
	blockList = regexp.MustCompile(`(?m)^\s*(?:modules?|dir):[ \t]*\n((?:[ \t]*-[ \t]+\S+[ \t]*\n)+)`)
	listItem  = regexp.MustCompile(`[^\s,"'-][^\s,"']*`)
)

// verifyWorkflows looks for lists of modules in the workflows of CI. One that is
// computed there needs no look; one that is written out must be complete.
func (w *workspace) verifyWorkflows(f *findings) error {
	names, err := filepath.Glob(filepath.Join(w.Root, ".github/workflows/*.y*ml"))
	if err != nil {
		return err
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		base := filepath.Base(name)
		lists := append(flowList.FindAllStringSubmatch(string(text), -1), blockList.FindAllStringSubmatch(string(text), -1)...)
		for _, list := range lists {
			items := listItem.FindAllString(list[1], -1)
			for _, dir := range missing(w.dirs(), items) {
				f.add(dir, "workflow", "%s lists modules, and not this one", base)
			}
			for _, item := range missing(items, w.dirs()) {
				f.add("", "workflow", "%s lists %s, which is no module", base, item)
			}
		}
	}
	return nil
}

// missing are the elements of all that some does not have.
func missing(all, some []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(some, s) })
}

// A row of the table of backends begins "| [redis](redis) |".
var tableRow = regexp.MustCompile(`(?m)^\| \[(\w+)\]\((\w+)\) \|`)

// verifyTable compares the table of backends in the README with the list.
func (w *workspace) verifyTable(f *findings) error {
	readme, err := os.ReadFile(filepath.Join(w.Root, "README.md"))
	if errors.Is(err, fs.ErrNotExist) {
		f.add("", "readme", "README.md is missing")
		return nil
	}
	if err != nil {
		return err
	}
	var rows, backends []string
	for _, row := range tableRow.FindAllStringSubmatch(string(readme), -1) {
		rows = append(rows, row[2])
	}
	for _, m := range w.Modules {
		if m.Backend() {
			backends = append(backends, m.Dir)
		}
	}
	for _, dir := range missing(backends, rows) {
		f.add(dir, "readme", "README.md has no row for it in the table of backends")
	}
	for _, row := range missing(rows, backends) {
		f.add("", "readme", "README.md has a row for %s, which is no backend", row)
	}
	return nil
}
