package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

const (
	statusFinding = 1
	statusFault   = 2
)

// app is one call of the program.
type app struct {
	stdout, stderr io.Writer
	root           string // of the repository; empty: the nearest go.work above
	json           bool

	// tryOut is checkModules; tests have another one.
	tryOut func(context.Context, *workspace, []module) ([]finding, error)
}

// run is the whole program; it returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	a := &app{stdout: stdout, stderr: stderr}
	a.tryOut = a.checkModules
	return a.run(ctx, args)
}

func (a *app) run(ctx context.Context, args []string) int {
	root := &cobra.Command{
		Use:   "mod",
		Short: "Checks, proposes and tags versions of the modules of this repository",
		Long: `Checks, proposes and tags versions of the modules of this repository.

Exit status: 0 nothing found, 1 findings, 2 the tool could not do its work.`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.PersistentFlags().StringVar(&a.root, "root", "", "`DIRECTORY` of the repository (default: the nearest go.work above)")
	root.PersistentFlags().BoolVar(&a.json, "json", false, "answer as JSON")
	root.AddCommand(a.verifyCommand(), a.planCommand(), a.tagCommand(), a.newCommand())
	root.AddCommand(a.checkCommand(), a.sizesCommand(), a.skewCommand())
	root.SetArgs(args)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	err := root.ExecuteContext(ctx)
	if errors.Is(err, errFindings) {
		return statusFinding
	}
	if err != nil {
		fmt.Fprintln(a.stderr, "mod:", err)
		return statusFault
	}
	return 0
}
