package proof

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"

	"github.com/cachebackends/cachebackends/tools/mod/internal/repo"
)

// pairing is a version of a backend and a version of core in one program.
type pairing struct{ backend, core string }

// Skew tests a backend as published with the oldest core that it allows and with
// core as it is now, and its last tag with core as it is now.
func (p *Proof) Skew(ctx context.Context, m repo.Module) (list repo.Findings, err error) {
	if missing := p.unavailable(m); len(missing) > 0 {
		return missing, nil
	}
	for _, pair := range p.pairings(m) {
		start := time.Now()
		err := p.test(ctx, m, pair)
		if failure := (*goError)(nil); errors.As(err, &failure) {
			list.Add(m.Dir, "skew", "%s with core %s: %v", pair.backend, pair.core, failure)
		} else if err != nil {
			return nil, err
		}
		fmt.Fprintf(p.log, "skew %s %s, core %s: %.1f s\n", m.Dir, pair.backend, pair.core, time.Since(start).Seconds())
	}
	return list, nil
}

func (p *Proof) pairings(m repo.Module) []pairing {
	now, oldest, newest := p.Next[m.Dir], m.Requires(p.Core().Path), p.Next["core"]
	pairs := []pairing{{now, newest}}
	if oldest != newest {
		pairs = append(pairs, pairing{now, oldest})
	} else {
		fmt.Fprintf(p.log, "skew %s: the oldest core that it allows, %s, is core as it is now\n", m.Dir, oldest)
	}
	if last := p.last(m); last != "" && last != now {
		pairs = append(pairs, pairing{last, newest})
	}
	return pairs
}

// test builds a program from a pairing and runs the backend's own tests and the
// suite. The tests start the servers; a missing one is skipped or an error as it
// is there.
func (p *Proof) test(ctx context.Context, m repo.Module, pair pairing) error {
	queries := []string{m.Path + "@" + pair.backend, p.Core().Path + "@" + pair.core}
	g, err := p.build(ctx, p.Hello(m), queries...)
	if err != nil {
		return err
	}
	defer g.remove()
	suite, err := p.suite(ctx, pair.core)
	if err != nil {
		return err
	}
	g.src = filepath.Join(g.dir, "integration")
	if err := p.copyIntegration(m, g.src); err != nil {
		return err
	}
	if _, err := g.run(ctx, append([]string{"get", suite}, queries...)...); err != nil {
		return err
	}
	out, err := g.run(ctx, "test", "-short", "-count=1", m.Path+"/...", ".")
	if err == nil && !strings.Contains(out, "ok  \t"+p.Path+"/"+repo.Integration) {
		return &goError{"go test", "the suite was not run: " + strings.TrimSpace(out)}
	}
	return err
}

// copyIntegration copies the module that runs the suite over real servers to dir,
// with the tests of m alone and without requirements on siblings.
func (p *Proof) copyIntegration(m repo.Module, dir string) error {
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(p.Root, repo.Integration))); err != nil {
		return err
	}
	name := filepath.Join(dir, "go.mod")
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	file, err := modfile.Parse(name, text, nil)
	if err != nil {
		return err
	}
	for _, sibling := range p.Modules {
		if err := errors.Join(file.DropRequire(sibling.Path), file.DropReplace(sibling.Path, "")); err != nil {
			return err
		}
	}
	if text, err = file.Format(); err != nil {
		return err
	}
	if err := os.WriteFile(name, text, 0o644); err != nil {
		return err
	}
	return p.removeOtherTests(m, dir)
}

// removeOtherTests removes the files that test backends other than m: they import them,
// are named after them, or use what such files declare.
func (p *Proof) removeOtherTests(m repo.Module, dir string) error {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return err
	}
	kept, removed := map[string]*ast.File{}, []*ast.File{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, 0)
		if err != nil {
			return err
		}
		tested := func(other repo.Module) bool {
			return other.Backend() && other.Dir != m.Dir &&
				(strings.Contains(string(text), `"`+other.Path+`"`) || strings.HasPrefix(filepath.Base(name), other.Dir+"_"))
		}
		if kept[name] = file; slices.ContainsFunc(p.Modules, tested) {
			removed = append(removed, file)
			delete(kept, name)
		}
	}
	for i := 0; i < len(removed); i++ {
		for name, file := range kept {
			uses := func(id *ast.Ident) bool { return removed[i].Scope.Lookup(id.Name) != nil }
			if slices.ContainsFunc(file.Unresolved, uses) {
				removed = append(removed, file)
				delete(kept, name)
			}
		}
	}
	if !m.Wrapper() && kept[filepath.Join(dir, m.Dir+"_test.go")] == nil {
		return &goError{"go test", fmt.Sprintf("the suite was not run: %[1]s_test.go imports other backends than %[1]s, uses what a file that does declares, or is missing", m.Dir)}
	}
	for _, name := range names {
		if kept[name] == nil {
			if err := os.Remove(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// suite returns the newest version of conformance that runs with a version of core.
func (p *Proof) suite(ctx context.Context, core string) (query string, err error) {
	m, _ := p.In("conformance")
	for _, v := range slices.Backward(append(slices.Clone(p.tags[m.Dir]), p.Next[m.Dir])) {
		file, err := p.publish(ctx, m, v)
		if err != nil {
			return "", err
		}
		if semver.Compare(repo.Required(file, p.Core().Path), core) <= 0 {
			return m.Path + "@" + v, nil
		}
	}
	return "", fmt.Errorf("no version of conformance runs with core %s", core)
}
