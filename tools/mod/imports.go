package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// verifyImports reads the imports of every file, tests included.
func (w *workspace) verifyImports(f *findings) error {
	for _, m := range w.Modules {
		files, err := w.goFiles(m)
		if err != nil {
			return err
		}
		for _, name := range files {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(w.Root, m.Dir, name), nil, parser.ImportsOnly)
			if err != nil {
				return err
			}
			for _, spec := range file.Imports {
				imported, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					return err
				}
				if why := w.forbidden(m, imported); why != "" {
					f.add(m.Dir, "imports", "%s imports %s: %s", name, imported, why)
				}
			}
		}
	}
	return nil
}

// goFiles are the files of m, relative to its directory: without those of the
// modules inside of it and without what the go tool does not look at.
func (w *workspace) goFiles(m module) ([]string, error) {
	root := filepath.Join(w.Root, m.Dir)
	others := w.dirs()
	var files []string
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, _ := filepath.Rel(root, name)
		inRoot, _ := filepath.Rel(w.Root, name)
		base := entry.Name()
		switch {
		case entry.IsDir() && name != root && (base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") ||
			slices.Contains(others, filepath.ToSlash(inRoot))):
			return fs.SkipDir
		case !entry.IsDir() && filepath.Ext(base) == ".go":
			files = append(files, filepath.ToSlash(relative))
		}
		return nil
	})
	return files, err
}

// forbidden says why m must not import a package, or nothing.
func (w *workspace) forbidden(m module, imported string) string {
	if m.Released() && isForTests(imported) {
		return "tests that need it belong into conformance/integration"
	}
	if !w.owns(imported) || within(imported, m.Path) && !w.nested(m, imported) {
		return ""
	}
	if slices.Contains(strings.Split(imported, "/"), "internal") {
		return "it is internal to another module"
	}
	if m.Released() && !within(imported, w.Path+"/core") {
		return "released modules import no sibling but core"
	}
	return ""
}

// nested says whether a package is of a module inside of m.
func (w *workspace) nested(m module, imported string) bool {
	return slices.ContainsFunc(w.Modules, func(other module) bool {
		return other.Path != m.Path && within(other.Path, m.Path) && within(imported, other.Path)
	})
}
