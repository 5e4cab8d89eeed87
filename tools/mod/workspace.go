package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	modpath "golang.org/x/mod/module"
)

// workspace is the repository: the modules that its go.work lists.
type workspace struct {
	Root    string // directory
	Path    string // module path that all modules begin with
	Go      string // the go line of go.work
	Modules []module
}

type module struct {
	Dir  string // relative to the root, with slashes
	Path string
	File *modfile.File
}

// Released says whether users may import the module, and tags are made of it:
// tools and the tests over real servers are not for them.
func (m module) Released() bool {
	return !strings.HasPrefix(m.Dir, "tools/") && m.Dir != "conformance/integration"
}

// Backend says whether the module is one.
func (m module) Backend() bool {
	return m.Released() && m.Dir != "core" && m.Dir != "conformance"
}

// find returns the module whose path is given.
func (w *workspace) find(path string) (module, bool) {
	i := slices.IndexFunc(w.Modules, func(m module) bool { return m.Path == path })
	if i < 0 {
		return module{}, false
	}
	return w.Modules[i], true
}

// owns says whether path is of the repository: a module of it or a package.
func (w *workspace) owns(path string) bool { return strings.HasPrefix(path, w.Path+"/") }

// siblings are what m requires of the repository.
func (w *workspace) siblings(m module) []*modfile.Require {
	return slices.DeleteFunc(slices.Clone(m.File.Require), func(r *modfile.Require) bool { return !w.owns(r.Mod.Path) })
}

// released returns the modules that users may import, core first, then
// conformance, then the backends: the order in which they are tagged.
func (w *workspace) released() []module {
	rank := func(m module) int { return slices.Index([]string{"conformance", "core"}, m.Dir) }
	var list []module
	for _, m := range w.Modules {
		if m.Released() {
			list = append(list, m)
		}
	}
	slices.SortStableFunc(list, func(a, b module) int { return rank(b) - rank(a) })
	return list
}

// open reads go.work and the go.mod files that it lists.
func (a *app) open() (*workspace, error) {
	root := a.root
	if root == "" {
		var err error
		if root, err = findRoot(); err != nil {
			return nil, err
		}
	}
	name := filepath.Join(root, "go.work")
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	work, err := modfile.ParseWork(name, data, nil)
	if err != nil {
		return nil, err
	}
	w := &workspace{Root: root}
	if work.Go != nil {
		w.Go = work.Go.Version
	}
	for _, use := range work.Use {
		m, err := readModule(root, filepath.ToSlash(filepath.Clean(use.Path)))
		if err != nil {
			return nil, err
		}
		if m.Dir == "core" {
			base, _, _ := modpath.SplitPathVersion(m.Path) // core/v2 is core
			w.Path = strings.TrimSuffix(base, "/core")
		}
		w.Modules = append(w.Modules, m)
	}
	if w.Path == "" {
		return nil, fmt.Errorf("%s lists no module core", name)
	}
	return w, nil
}

func readModule(root, dir string) (module, error) {
	name := filepath.Join(root, dir, "go.mod")
	data, err := os.ReadFile(name)
	if err != nil {
		return module{}, err
	}
	file, err := modfile.Parse(name, data, nil)
	if err != nil {
		return module{}, err
	}
	if file.Module == nil {
		return module{}, fmt.Errorf("%s: no module line", name)
	}
	return module{Dir: dir, Path: file.Module.Mod.Path, File: file}, nil
}

func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		_, err := os.Stat(filepath.Join(dir, "go.work"))
		if err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if !errors.Is(err, fs.ErrNotExist) || parent == dir {
			return "", fmt.Errorf("no go.work here or above: %w", err)
		}
		dir = parent
	}
}
