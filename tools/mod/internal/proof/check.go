package proof

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cachebackends/cachebackends/tools/mod/internal/repo"
)

// Check returns what is wrong with a module when users get it. update writes its
// golden file instead of comparing with it.
func (p *Proof) Check(ctx context.Context, m repo.Module, update bool) (repo.Findings, error) {
	if list := p.unavailable(m); len(list) > 0 {
		return list, nil // no user can get it
	}
	g, err := p.build(ctx, p.Hello(m), m.Path+"@"+p.Next[m.Dir])
	if failure := (*goError)(nil); errors.As(err, &failure) {
		return p.diagnose(ctx, m, failure)
	}
	if err != nil {
		return nil, err
	}
	defer g.remove()
	c, err := g.cost()
	if err != nil {
		return nil, err
	}
	if update {
		return nil, p.writeGolden(m, c)
	}
	list, err := p.compareGolden(ctx, g, m, c)
	if m.Backend() {
		err = errors.Join(err, p.compareReadme(m, c, &list))
	}
	return list, err
}

// diagnose explains why a program does not build. If it builds with siblings as
// they are now, go.mod requires versions that are too old.
func (p *Proof) diagnose(ctx context.Context, m repo.Module, failure *goError) (list repo.Findings, err error) {
	var old, queries []string
	for _, required := range p.Siblings(m) {
		s, _ := p.Find(required.Path)
		if next := p.Next[s.Dir]; next != required.Version {
			old = append(old, required.String())
			queries = append(queries, s.Path+"@"+next)
		}
	}
	if len(old) > 0 {
		g, err := p.build(ctx, p.Hello(m), append(queries, m.Path+"@"+p.Next[m.Dir])...)
		if err == nil {
			g.remove()
			list.Add(m.Dir, "lagging requirement", "does not build with %s, which it requires, but with %s\n\t%v", strings.Join(old, ", "), strings.Join(queries, ", "), failure)
			return list, nil
		}
		if !errors.As(err, new(*goError)) {
			return nil, err
		}
	}
	list.Add(m.Dir, "build", "does not build as published\n\t%v", failure)
	return list, nil
}

// forTests are modules for tests and tools. They must not reach users.
var forTests = []string{
	"github.com/alicebob/miniredis",
	"github.com/docker",
	"github.com/fsouza/fake-gcs-server",
	"github.com/moby",
	"github.com/spf13/cobra",
	"github.com/testcontainers",
}

func isForTests(path string) bool {
	return slices.ContainsFunc(forTests, func(root string) bool { return strings.HasPrefix(path+"/", root+"/") })
}

// golden is the file that lists the modules that users of m download, without
// their versions.
func (p *Proof) golden(m repo.Module) string {
	return filepath.Join(p.Root, "tools", "mod", "golden", m.Dir+".txt")
}

func (p *Proof) writeGolden(m repo.Module, c Cost) error {
	name := p.golden(m)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, []byte(strings.Join(c.Modules, "\n")+"\n"), 0o644)
}

func (p *Proof) compareGolden(ctx context.Context, g *program, m repo.Module, c Cost) (list repo.Findings, err error) {
	data, err := os.ReadFile(p.golden(m))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	expected := strings.Fields(string(data))
	for _, path := range c.Modules {
		named := slices.Contains(expected, path)
		if named && !isForTests(path) {
			continue
		}
		why, err := g.why(ctx, path)
		if err != nil {
			return nil, err
		}
		if isForTests(path) {
			list.Add(m.Dir, "for tests", "users download %s, which is for tests: %s", path, why)
		} else {
			list.Add(m.Dir, "golden", "users download %s, which golden/%s.txt does not list: %s", path, m.Dir, why)
		}
	}
	for _, path := range expected {
		if !slices.Contains(c.Modules, path) {
			list.Add(m.Dir, "golden", "golden/%s.txt lists %s, which users do not download", m.Dir, path)
		}
	}
	return list, nil
}

// Row returns a row of the table of sizes in README.md, up to what differs between
// machines.
func Row(name string, c Cost) string { return fmt.Sprintf("| %s | %d |", name, len(c.Modules)) }

func (p *Proof) compareReadme(m repo.Module, c Cost, list *repo.Findings) error {
	readme, err := os.ReadFile(filepath.Join(p.Root, "README.md"))
	if row := Row(m.Dir, c); err == nil && !strings.Contains(string(readme), row) {
		list.Add(m.Dir, "sizes", "README.md lacks the row %s: go run ./tools/mod sizes --write", row)
	}
	return err
}
