// Cachectl is a command line for any cache backend. It also caches the output of
// slow commands: the first call runs the command, later calls replay its output
// and exit status.
//
//	cachectl exec --timeout 10m -- COMMAND [ARG...]
//
// It reads the same CACHE_* settings as the library. CACHE_IGNORE_ERRORS has no
// effect: a command line reports every failure. See the README for the exit status
// and the guarantees of exec.
package main

import (
	"context"
	"io"
	"log"
	"os"
	"slices"

	"github.com/spf13/cobra"
)

func main() {
	log.SetFlags(0) // warnings of backends look like those of cachectl
	log.SetPrefix("cachectl: ")
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ()))
}

// app is one invocation: its streams, its environment and the global flags.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string

	configFile string
	json       bool
	parsed     bool // the command line was parsed without an error
	unbounded  bool // open the backend without a limit for its entries
}

// run executes the command line in args and returns the exit status.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer, environ []string) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, environ: environ}
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(context.Background())
	if !a.parsed { // cobra stops at the first invalid flag, which --json may follow
		a.json = slices.Contains(args, "--json")
	}
	return a.report(cmd, err)
}

// The order of the groups is that of help. The setting is of the package.
func init() { cobra.EnableCommandSorting = false }

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "cachectl",
		Short: "Command line for any cache backend",
		Long: `Command line for any cache backend.

Settings are the CACHE_* variables of the environment and of the JSON file given with
--config. Without CACHE_TYPE, entries are files in the user's cache directory.

Exit status: 0 hit or done, 1 miss, 2 invalid usage or settings, 3 backend error or
failed entries, 130 interrupted.`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			a.parsed = true
			if a.configFile == "" && cmd.Flags().Changed("config") {
				return usagef("--config: empty file name")
			}
			return nil
		},
	}
	root.PersistentFlags().StringVar(&a.configFile, "config", "", "JSON `FILE` of CACHE_* settings, which override the environment")
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print results and errors as JSON")
	root.MarkPersistentFlagFilename("config", "json")

	groups := []struct {
		id, title string
		commands  []*cobra.Command
	}{
		{"exec", "Cached commands:", []*cobra.Command{a.execCommand()}},
		{"entries", "Entries:", []*cobra.Command{
			a.getCommand(), a.setCommand(), a.addCommand(), a.deleteCommand(), a.hasCommand(), a.ttlCommand(),
			a.incCommand(), a.decCommand(), a.getManyCommand(), a.setManyCommand(), a.clearCommand(),
		}},
		{"store", "Whole stores:", []*cobra.Command{
			a.lsCommand(), a.duCommand(), a.topCommand(), a.copyCommand(), a.dumpCommand(), a.restoreCommand(), a.warmCommand(),
		}},
		{"backend", "Backend:", []*cobra.Command{a.configCommand(), a.doctorCommand(), a.versionCommand()}},
		{"", "", []*cobra.Command{a.manCommand()}},
	}
	for _, group := range groups {
		if group.id != "" {
			root.AddGroup(&cobra.Group{ID: group.id, Title: group.title})
		}
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
