// Package repo reads the modules of this repository and their versions.
package repo

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	modpath "golang.org/x/mod/module"
)

// FirstVersion is the version of the first release of a module.
const FirstVersion = "v0.1.0"

// Integration is the directory of the tests over real servers. It is a module
// because whatever a test of a released module imports, its users download.
const Integration = "conformance/integration"

// Repo is a repository: the modules that its go.work lists.
type Repo struct {
	Root    string // directory
	Path    string // that all module paths begin with
	Modules []Module
}

// Module is a module of a repository.
type Module struct {
	Dir  string // relative to the root, with slashes
	Path string
	File *modfile.File

	registers, nests bool
}

// Released reports whether users may import the module. Tools and the tests over
// real servers are never released.
func (m Module) Released() bool { return !strings.HasPrefix(m.Dir, "tools/") && m.Dir != Integration }

// Backend reports whether the module is released and registers a backend.
func (m Module) Backend() bool { return m.Released() && m.registers }

// Wrapper reports whether the backend stores its entries in other backends.
func (m Module) Wrapper() bool { return m.Backend() && m.nests }

// Requires returns the version of path that the module requires, "" for none.
func (m Module) Requires(path string) string { return Required(m.File, path) }

// Required returns the version of path that a go.mod requires, "" for none.
func Required(file *modfile.File, path string) string {
	for _, r := range file.Require {
		if r.Mod.Path == path {
			return r.Mod.Version
		}
	}
	return ""
}

// PathMajor returns the end of the module path that names its major version: "/v2".
func (m Module) PathMajor() string {
	_, major, _ := modpath.SplitPathVersion(m.Path)
	return major
}

// Find returns the module with a path.
func (r *Repo) Find(path string) (Module, bool) {
	return find(r.Modules, func(m Module) bool { return m.Path == path })
}

// In returns the module in a directory.
func (r *Repo) In(dir string) (Module, bool) {
	return find(r.Modules, func(m Module) bool { return m.Dir == dir })
}

func find(modules []Module, matches func(Module) bool) (Module, bool) {
	if i := slices.IndexFunc(modules, matches); i >= 0 {
		return modules[i], true
	}
	return Module{}, false
}

// Core returns the module that all others require.
func (r *Repo) Core() Module {
	core, _ := r.In("core")
	return core
}

// Siblings returns what m requires of the repository.
func (r *Repo) Siblings(m Module) []modpath.Version {
	var list []modpath.Version
	for _, required := range m.File.Require {
		if strings.HasPrefix(required.Mod.Path, r.Path+"/") {
			list = append(list, required.Mod)
		}
	}
	return list
}

// Released returns the modules that users may import in the order of their
// release: core, conformance, then the others, each after what it requires.
func (r *Repo) Released() []Module {
	rank := func(m Module) int { return slices.Index([]string{"conformance", "core"}, m.Dir) }
	waiting := slices.DeleteFunc(slices.Clone(r.Modules), func(m Module) bool { return !m.Released() })
	slices.SortStableFunc(waiting, func(a, b Module) int { return rank(b) - rank(a) })
	requires := func(m, other Module) bool { return m.Requires(other.Path) != "" }
	var list []Module
	for len(waiting) > 0 {
		next := slices.IndexFunc(waiting, func(m Module) bool {
			return !slices.ContainsFunc(waiting, func(other Module) bool { return requires(m, other) })
		})
		next = max(next, 0) // modules that require each other
		list = append(list, waiting[next])
		waiting = slices.Delete(waiting, next, next+1)
	}
	return list
}

// Open reads go.work and the go.mod files that it lists. An empty root is the
// nearest directory above that has a go.work.
func Open(root string) (*Repo, error) {
	if root == "" {
		out, err := exec.Command("go", "env", "GOWORK").Output()
		if err != nil {
			return nil, fmt.Errorf("go env GOWORK: %w", err)
		}
		root = filepath.Dir(string(out))
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
	r := &Repo{Root: root}
	for _, use := range work.Use {
		m, err := readModule(root, filepath.ToSlash(filepath.Clean(use.Path)))
		if err != nil {
			return nil, err
		}
		r.Modules = append(r.Modules, m)
	}
	core, ok := r.In("core")
	if !ok {
		return nil, fmt.Errorf("%s lists no module core", name)
	}
	base, _, _ := modpath.SplitPathVersion(core.Path) // core/v2 is core
	r.Path = strings.TrimSuffix(base, "/core")
	return r, nil
}

func readModule(root, dir string) (Module, error) {
	name := filepath.Join(root, dir, "go.mod")
	data, err := os.ReadFile(name)
	if err != nil {
		return Module{}, err
	}
	file, err := modfile.Parse(name, data, nil)
	if err != nil {
		return Module{}, err
	}
	if file.Module == nil || file.Go == nil {
		return Module{}, fmt.Errorf("%s: no module line or no go line", name)
	}
	m := Module{Dir: dir, Path: file.Module.Mod.Path, File: file}
	if dir == "core" || dir == "conformance" {
		return m, nil
	}
	text, err := sources(filepath.Join(root, dir))
	m.registers = strings.Contains(text, "driver.Register(") || strings.Contains(text, "cache.Register(")
	m.nests = strings.Contains(text, "driver.Nested ")
	return m, err
}

// sources returns the text of the package in dir without its tests.
func sources(dir string) (string, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return "", err
	}
	var all strings.Builder
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		all.Write(text)
	}
	return all.String(), nil
}
