package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func (a *app) checkCommand() *cobra.Command {
	var update bool
	command := &cobra.Command{
		Use:   "check [MODULE...]",
		Short: "Build modules as a user would get them, and compare what they pull",
		Long: `Builds each released module as a user would get it: zips on a file:// proxy, an
empty module cache, a program of its own, go get, go mod tidy, go build, go vet.
What a module requires of its siblings comes from their tags where there are
some, so a go.mod that requires too little is found. The modules that came are
compared with tools/mod/golden/MODULE.txt, and what README.md says of their
number with what was counted.

Nothing is asked of the network, but for modules of others that the machine's
module cache lacks: these are downloaded into it first.`,
		RunE: a.onReleased(func(ctx context.Context, w *workspace, modules []module) (findings, error) {
			return a.check(ctx, w, modules, update)
		}),
	}
	command.Flags().BoolVar(&update, "update", false, "write the golden files instead of comparing with them")
	return command
}

// onReleased is a command that reports what do finds in the released modules of
// the directories that are its arguments, or in all.
func (a *app) onReleased(do func(context.Context, *workspace, []module) (findings, error)) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, dirs []string) error {
		w, err := a.open()
		if err != nil {
			return err
		}
		modules := w.released()
		for i, dir := range dirs {
			dirs[i] = filepath.ToSlash(filepath.Clean(dir))
			if !slices.ContainsFunc(modules, func(m module) bool { return m.Dir == dirs[i] }) {
				return fmt.Errorf("%s is no released module", dir)
			}
		}
		if len(dirs) > 0 {
			modules = slices.DeleteFunc(modules, func(m module) bool { return !slices.Contains(dirs, m.Dir) })
		}
		list, err := do(cmd.Context(), w, modules)
		if err != nil {
			return err
		}
		return a.report(list)
	}
}

// checkModules returns what is wrong with modules when users get them.
func (a *app) checkModules(ctx context.Context, w *workspace, modules []module) ([]finding, error) {
	return a.check(ctx, w, modules, false)
}

func (a *app) check(ctx context.Context, w *workspace, modules []module, update bool) (findings, error) {
	l, err := a.newLab(ctx, w)
	if err != nil {
		return nil, err
	}
	defer l.close()
	var list findings
	for _, m := range modules {
		start := time.Now()
		found, err := l.check(ctx, m, update)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Dir, err)
		}
		list = append(list, found...)
		fmt.Fprintf(a.stderr, "check %s %s: %d findings, %.1f s\n", m.Dir, l.published.Now[m.Dir], len(found), time.Since(start).Seconds())
	}
	return list, nil
}

// lab is where programs are built over published modules.
type lab struct {
	*app
	published *publication
	dir       string // temporary
	outside   string // proxy of the modules of others: the machine's module cache
}

func (a *app) newLab(ctx context.Context, w *workspace) (*lab, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMODCACHE").Output()
	if err != nil {
		return nil, fmt.Errorf("go env GOMODCACHE: %w", err)
	}
	dir, err := os.MkdirTemp("", "mod-")
	if err != nil {
		return nil, err
	}
	l := &lab{app: a, dir: dir, outside: filepath.Join(strings.TrimSpace(string(out)), "cache", "download")}
	if l.published, err = w.publish(ctx, filepath.Join(dir, "proxy")); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *lab) close() { os.RemoveAll(l.dir) }

// consumer makes one that gets the published modules, and those of others that
// the machine has.
func (l *lab) consumer() (*consumer, error) {
	dir, err := os.MkdirTemp(l.dir, "consumer-")
	if err != nil {
		return nil, err
	}
	return newConsumer(dir, "file://"+l.published.Dir+",file://"+l.outside)
}

func (l *lab) check(ctx context.Context, m module, update bool) (findings, error) {
	if list := l.published.unpublished(m); len(list) > 0 {
		return list, nil // no user can get it
	}
	l.warm(ctx, m)
	c, err := l.consumer()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(c.dir)
	var failure *goFailure
	switch err := c.build(ctx, l.hello(m), m.Path+"@"+l.published.Now[m.Dir]); {
	case errors.As(err, &failure):
		return l.diagnose(ctx, m, failure)
	case err != nil:
		return nil, err
	}
	p, err := c.pulled(ctx)
	if err != nil {
		return nil, err
	}
	list, err := l.forbidden(ctx, c, m, p)
	if err != nil {
		return nil, err
	}
	compared, err := l.golden(ctx, c, m, p, update)
	if err != nil {
		return nil, err
	}
	list = append(list, compared...)
	if !m.Backend() {
		return list, nil
	}
	stale, err := l.published.stale(m, p)
	return append(list, stale...), err
}

// warm has the machine's module cache filled with what the program will ask of
// others, by tidying the module itself. When it fails so does the program, and
// that one says why.
func (l *lab) warm(ctx context.Context, m module) {
	cmd := exec.CommandContext(ctx, "go", "mod", "tidy", "-diff")
	cmd.Dir = filepath.Join(l.published.Root, m.Dir)
	cmd.Env = append(os.Environ(), "GOWORK=off")
	cmd.Run()
}

// hello is the smallest program that uses a module: for a backend it opens the
// one that the environment names.
func (l *lab) hello(m module) string {
	imports := fmt.Sprintf("\tcache %q\n", l.published.in("core").Path)
	if m.Dir != "core" {
		imports += fmt.Sprintf("\t_ %q\n", m.Path)
	}
	return `package main

import (
	"context"
	"fmt"
	"os"

` + imports + `)

func main() {
	c, err := cache.Open(context.Background(), cache.FromEnv(os.Environ()))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer c.Close()
	fmt.Println(c.Has(context.Background(), "hello"))
}
`
}

// diagnose says why a program does not build. Where it would with siblings as
// they are now, go.mod requires versions that are too old.
func (l *lab) diagnose(ctx context.Context, m module, failure *goFailure) (findings, error) {
	var list findings
	var old, queries []string
	for _, r := range l.published.siblings(m) {
		s, _ := l.published.find(r.Mod.Path)
		if now := l.published.Now[s.Dir]; now != r.Mod.Version {
			old = append(old, r.Mod.String())
			queries = append(queries, s.Path+"@"+now)
		}
	}
	if len(old) > 0 {
		c, err := l.consumer()
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(c.dir)
		err = c.build(ctx, l.hello(m), append(queries, m.Path+"@"+l.published.Now[m.Dir])...)
		if err == nil {
			list.add(m.Dir, "lagging require", "requires %s, which lacks what it uses: with siblings as they are now it builds\n\t%v", strings.Join(old, ", "), failure)
			return list, nil
		}
		if !errors.As(err, new(*goFailure)) {
			return nil, err
		}
	}
	list.add(m.Dir, "build", "as published it does not build\n\t%v", failure)
	return list, nil
}
