package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

func (a *app) skewCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "skew [BACKEND...]",
		Short: "Test backends as published against the oldest and the newest core",
		Long: `Tests each backend as a user would get it with the oldest core that its go.mod
allows and with core as it is now, and its last tag with core as it is now: with
its own tests, and with those of conformance/integration, which run it through the
suite over real servers. Cases that wait are left out (-short).`,
		RunE: a.onReleased(a.skew),
	}
}

// pairing is a backend and a core that meet in a program.
type pairing struct{ Backend, Core string } // versions

// skew returns the pairings in which backends fail.
func (a *app) skew(ctx context.Context, w *workspace, modules []module) (findings, error) {
	l, err := a.newLab(ctx, w)
	if err != nil {
		return nil, err
	}
	defer l.close()
	var list findings
	l.warm(ctx, l.published.in(filepath.Dir(integration)))
	for _, m := range modules {
		if !m.Backend() {
			continue
		}
		if missing := l.published.unpublished(m); len(missing) > 0 {
			list = append(list, missing...)
			continue
		}
		l.warm(ctx, m)
		for _, pair := range l.pairings(m) {
			start := time.Now()
			err := l.try(ctx, m, pair)
			var failure *goFailure
			switch {
			case errors.As(err, &failure):
				list.add(m.Dir, "skew", "%s with core %s: %v", pair.Backend, pair.Core, failure)
			case err != nil:
				return nil, fmt.Errorf("%s: %w", m.Dir, err)
			}
			fmt.Fprintf(a.stderr, "skew %s %s, core %s: %.1f s\n", m.Dir, pair.Backend, pair.Core, time.Since(start).Seconds())
		}
	}
	return list, nil
}

// pairings returns those to try, and says where the oldest core is the newest.
func (l *lab) pairings(m module) []pairing {
	core := l.published.in("core")
	oldest, newest := required(m.File, core.Path), l.published.Now[core.Dir]
	now := l.published.Now[m.Dir]
	pairs := []pairing{{now, newest}}
	if oldest != newest {
		pairs = append(pairs, pairing{now, oldest})
	} else {
		fmt.Fprintf(l.stderr, "skew %s: the oldest core it allows, %s, is core as it is now\n", m.Dir, oldest)
	}
	if last := l.published.last(m); last != "" && last != now {
		pairs = append(pairs, pairing{last, newest})
	}
	return pairs
}

// try builds a program over a pairing, and runs the backend's own tests and the
// suite over it. Its servers are started by the tests, and a missing one is
// skipped or an error as it is there.
func (l *lab) try(ctx context.Context, m module, pair pairing) error {
	c, err := l.consumer()
	if err != nil {
		return err
	}
	defer os.RemoveAll(c.dir)
	queries := []string{m.Path + "@" + pair.Backend, l.published.in("core").Path + "@" + pair.Core}
	if err := c.build(ctx, l.hello(m), queries...); err != nil {
		return err
	}
	suite, err := l.conformance(ctx, pair.Core)
	if err != nil {
		return err
	}
	if c.program, err = l.integration(m, c.dir); err != nil {
		return err
	}
	if _, err := c.run(ctx, append([]string{"get"}, append(queries, suite)...)...); err != nil {
		return err
	}
	out, err := c.run(ctx, "test", "-short", "-count=1", m.Path+"/...", ".")
	if err == nil && !strings.Contains(out, "ok  \t"+l.published.in(filepath.Dir(integration)).Path) {
		return &goFailure{"go test", "the suite is not run: " + strings.TrimSpace(out)}
	}
	return err
}

// integration copies the module that runs the suite over real servers to dir,
// with the tests of m alone and without a version of any sibling.
func (l *lab) integration(m module, dir string) (copied string, err error) {
	copied = filepath.Join(dir, "integration")
	if err := os.CopyFS(copied, os.DirFS(filepath.Join(l.published.Root, filepath.Dir(integration)))); err != nil {
		return "", err
	}
	name := filepath.Join(copied, filepath.Base(integration))
	text, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	file, err := modfile.Parse(integration, text, nil)
	if err != nil {
		return "", err
	}
	for _, sibling := range l.published.Modules {
		file.DropRequire(sibling.Path)
		file.DropReplace(sibling.Path, "")
		if sibling.Dir == m.Dir || !sibling.Backend() {
			continue
		}
		others, err := filepath.Glob(filepath.Join(copied, sibling.Dir+"_*test.go"))
		if err != nil {
			return "", err
		}
		for _, other := range others {
			if err := os.Remove(other); err != nil {
				return "", err
			}
		}
	}
	if text, err = file.Format(); err != nil {
		return "", err
	}
	return copied, os.WriteFile(name, text, 0o644)
}

// conformance is the newest suite that runs with a core of that version.
func (l *lab) conformance(ctx context.Context, core string) (query string, err error) {
	m := l.published.in("conformance")
	for _, v := range slices.Backward(append(slices.Clone(l.published.Tags[m.Dir]), l.published.Now[m.Dir])) {
		file, err := l.published.add(ctx, m, v)
		if err != nil {
			return "", err
		}
		if semver.Compare(required(file, l.published.in("core").Path), core) <= 0 {
			return m.Path + "@" + v, nil
		}
	}
	return "", fmt.Errorf("no version of conformance runs with core %s", core)
}
