package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// What serves tests or tools reaches no user.
var forbidden = []string{
	"github.com/alicebob/miniredis",
	"github.com/docker",
	"github.com/fsouza/fake-gcs-server",
	"github.com/moby",
	"github.com/spf13/cobra",
	"github.com/testcontainers",
}

// These are not imported by us. Modules of others test with them, which is theirs
// to decide, and the golden files name them then.
var notByUs = []string{
	"github.com/onsi",
	"github.com/stretchr/testify",
}

// forbidden names the modules that may not come, and the imports that brought them.
func (l *lab) forbidden(ctx context.Context, c *consumer, m module, p pulled) (findings, error) {
	var list findings
	for _, path := range p.Modules {
		s, ours := l.published.find(path)
		if ours && (s.Dir == m.Dir || s.Dir == "core") {
			continue
		}
		if !ours && !under(path, forbidden) && !under(path, notByUs) {
			continue
		}
		why, err := c.why(ctx, path)
		if err != nil {
			return nil, err
		}
		if under(path, notByUs) && !l.published.owns(importer(why, path)) {
			continue
		}
		check := "forbidden"
		if ours {
			check = "sibling"
		}
		list.add(m.Dir, check, "its users pull %s: %s", path, strings.Join(why, " -> "))
	}
	return list, nil
}

func under(path string, roots []string) bool {
	return slices.ContainsFunc(roots, func(root string) bool { return within(path, root) })
}

// importer is the package of a chain that imports the module.
func importer(why []string, path string) string {
	i := slices.IndexFunc(why, func(p string) bool { return within(p, path) })
	return why[max(i, 1)-1]
}

// golden compares the modules that came with the list of those that may, or
// writes it. The list has no versions: go.mod has them.
func (l *lab) golden(ctx context.Context, c *consumer, m module, p pulled, update bool) (findings, error) {
	name := filepath.Join(l.published.Root, "tools", "mod", "golden", m.Dir+".txt")
	if update {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return nil, err
		}
		return nil, os.WriteFile(name, []byte(strings.Join(p.Modules, "\n")+"\n"), 0o644)
	}
	data, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	may := strings.Fields(string(data))
	var list findings
	for _, path := range p.Modules {
		if slices.Contains(may, path) {
			continue
		}
		why, err := c.why(ctx, path)
		if err != nil {
			return nil, err
		}
		list.add(m.Dir, "golden", "its users pull %s, which golden/%s.txt does not name: %s", path, m.Dir, strings.Join(why, " -> "))
	}
	for _, path := range may {
		if !slices.Contains(p.Modules, path) {
			list.add(m.Dir, "golden", "golden/%s.txt names %s, which users no longer pull", m.Dir, path)
		}
	}
	return list, nil
}
