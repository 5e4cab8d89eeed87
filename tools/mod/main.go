// Mod checks, proposes and tags versions of the modules of this repository and
// writes the module of a new backend.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/cachebackends/cachebackends/tools/mod/internal/proof"
	"github.com/cachebackends/cachebackends/tools/mod/internal/repo"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

const (
	statusFindings = 1
	statusFailed   = 2
)

// errFindings ends a command with statusFindings, after the findings were printed.
var errFindings = errors.New("findings")

// app is one invocation of the program.
type app struct {
	stdout, stderr io.Writer
	root           string // of the repository; empty: the nearest go.work above

	// check is checkModules. Tests have another one.
	check func(context.Context, *repo.Repo, []repo.Module) (repo.Findings, error)
}

// run is the whole program. It returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	a := &app{stdout: stdout, stderr: stderr}
	a.check = func(ctx context.Context, r *repo.Repo, modules []repo.Module) (repo.Findings, error) {
		return a.prove(ctx, r, modules, a.checkModule(false))
	}
	return a.run(ctx, args)
}

func (a *app) run(ctx context.Context, args []string) int {
	root := &cobra.Command{
		Use:   "mod",
		Short: "Check, propose and tag versions of the modules of this repository",
		Long: `Check, propose and tag versions of the modules of this repository.

Exit status: 0 if nothing was found, 1 with findings, 2 if the tool could not do
its work.`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.PersistentFlags().StringVar(&a.root, "root", "", "`DIRECTORY` of the repository (default: the nearest go.work above)")
	root.AddCommand(a.verifyCommand(), a.checkCommand(), a.skewCommand(), a.sizesCommand(), a.planCommand(), a.changelogCommand(), a.tagCommand(), a.rehearseCommand(), a.newCommand(), a.typesCommand())
	root.SetArgs(args)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	err := root.ExecuteContext(ctx)
	switch {
	case errors.Is(err, errFindings):
		return statusFindings
	case err != nil:
		fmt.Fprintln(a.stderr, "mod:", err)
		return statusFailed
	}
	return 0
}

// report prints findings and returns errFindings if there are any.
func (a *app) report(list repo.Findings) error {
	for _, f := range list {
		fmt.Fprintln(a.stdout, f)
	}
	if len(list) > 0 {
		return errFindings
	}
	return nil
}

func (a *app) checkCommand() *cobra.Command {
	var update bool
	command := &cobra.Command{
		Use:   "check [MODULE...]",
		Short: "Build modules as their users get them, and compare what is downloaded",
		Long: `Build each released module as its users get it: from a zip, in an empty module
cache, with a program of its own, by go get, go mod tidy, go build and go vet.

Siblings are those that its go.mod requires, from their tags if there are any, so
a requirement on a version that is too old is found. The downloaded modules are
compared with tools/mod/golden/MODULE.txt, their number with README.md. Modules
of others come from the module cache of this machine, or else from its proxy.`,
		RunE: func(cmd *cobra.Command, dirs []string) error {
			return a.proveIn(cmd.Context(), dirs, a.checkModule(update))
		},
	}
	command.Flags().BoolVar(&update, "update", false, "write the golden files instead of comparing with them")
	return command
}

func (a *app) skewCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "skew [BACKEND...]",
		Short: "Test backends as published with the oldest and the newest core",
		Long: `Test each backend as its users get it with the oldest core that its go.mod allows
and with core as it is now, and its last tag with core as it is now.

The tests are its own and those of conformance/integration, which run the suite
over real servers, with -short.`,
		RunE: func(cmd *cobra.Command, dirs []string) error {
			return a.proveIn(cmd.Context(), dirs, func(ctx context.Context, p *proof.Proof, m repo.Module) (repo.Findings, error) {
				if !m.Backend() {
					return nil, nil
				}
				return p.Skew(ctx, m)
			})
		},
	}
}

// attempt returns what is wrong with a published module.
type attempt func(context.Context, *proof.Proof, repo.Module) (repo.Findings, error)

func (a *app) checkModule(update bool) attempt {
	return func(ctx context.Context, p *proof.Proof, m repo.Module) (repo.Findings, error) {
		start := time.Now()
		list, err := p.Check(ctx, m, update)
		fmt.Fprintf(a.stderr, "check %s %s: %d findings, %.1f s\n", m.Dir, p.Next[m.Dir], len(list), time.Since(start).Seconds())
		return list, err
	}
}

// proveIn reports what try finds in the modules in dirs, or in all released ones.
func (a *app) proveIn(ctx context.Context, dirs []string, try attempt) error {
	r, err := repo.Open(a.root)
	if err != nil {
		return err
	}
	modules, err := choose(r, dirs)
	if err != nil {
		return err
	}
	list, err := a.prove(ctx, r, modules, try)
	if err != nil {
		return err
	}
	return a.report(list)
}

// choose returns the released modules in dirs, or all.
func choose(r *repo.Repo, dirs []string) ([]repo.Module, error) {
	if len(dirs) == 0 {
		return r.Released(), nil
	}
	var modules []repo.Module
	for _, dir := range dirs {
		m, ok := r.In(filepath.ToSlash(filepath.Clean(dir)))
		if !ok || !m.Released() {
			return nil, fmt.Errorf("%s is not a released module", dir)
		}
		modules = append(modules, m)
	}
	return modules, nil
}

// prove publishes all released modules and returns what try finds in some.
func (a *app) prove(ctx context.Context, r *repo.Repo, modules []repo.Module, try attempt, options ...proof.Option) (repo.Findings, error) {
	p, err := proof.New(ctx, r, a.stderr, options...)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	var all repo.Findings
	for _, m := range modules {
		list, err := try(ctx, p, m)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Dir, err)
		}
		all = slices.Concat(all, list)
	}
	return all, nil
}
