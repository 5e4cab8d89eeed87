package main

import (
	"context"
	"io"
	"runtime"
	"runtime/debug"
	"slices"

	"github.com/spf13/cobra"
)

// app is one call of the program: what it was given, and the flags of every
// command.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string

	configFile string
	json       bool
	started    bool // the call was understood
}

// run is the whole program; it returns the exit status.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer, environ []string) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, environ: environ}
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(context.Background())
	if !a.started { // the flag may stand behind the one that was wrong
		a.json = slices.Contains(args, "--json")
	}
	return a.report(err)
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "cachectl",
		Short: "The command line over any cache backend",
		Long: `The command line over any cache backend.

Settings are the CACHE_* variables of the environment, or of a JSON file given
with --config. Without CACHE_TYPE, entries are files in the user's cache directory.

Exit status: 0 hit or done, 1 miss, 2 wrong usage or settings, 3 backend error.`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRun: func(*cobra.Command, []string) {
			a.started = true
		},
	}
	root.PersistentFlags().StringVar(&a.configFile, "config", "", "JSON `FILE` of CACHE_* settings, which go before those of the environment")
	root.PersistentFlags().BoolVar(&a.json, "json", false, "answer, and report errors, as JSON")
	root.MarkPersistentFlagFilename("config", "json")

	groups := []struct {
		id, title string
		commands  []*cobra.Command
	}{
		{"exec", "Commands with a memory:", []*cobra.Command{a.execCommand()}},
		{"entries", "Entries:", []*cobra.Command{
			a.getCommand(), a.setCommand(), a.addCommand(), a.deleteCommand(), a.hasCommand(), a.ttlCommand(),
			a.incCommand(), a.decCommand(), a.getManyCommand(), a.setManyCommand(), a.clearCommand(),
		}},
		{"backend", "The backend:", []*cobra.Command{a.configCommand(), a.doctorCommand(), a.benchCommand()}},
	}
	cobra.EnableCommandSorting = false
	for _, group := range groups {
		root.AddGroup(&cobra.Group{ID: group.id, Title: group.title})
		for _, command := range group.commands {
			command.GroupID = group.id
			if command.ValidArgsFunction == nil {
				command.ValidArgsFunction = cobra.NoFileCompletions
			}
			root.AddCommand(command)
		}
	}
	return root
}

func version() string {
	text := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		text = info.Main.Version
	}
	return text + " " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH
}
