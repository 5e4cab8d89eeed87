package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"
)

// input is where a command reads bytes from: an argument, a file or stdin.
type input struct {
	file string
}

func (i *input) addTo(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&i.file, "file", "f", i.file, "read from `FILE`, or from stdin where it is -")
}

// value returns the argument after the key, what the file holds, or stdin for "-".
func (i *input) value(a *app, args []string) ([]byte, error) {
	switch {
	case len(args) == 2 && i.file != "":
		return nil, usagef("a value and --file: only one can be stored")
	case len(args) == 2 && args[1] != "-":
		return []byte(args[1]), nil
	case len(args) == 2:
		return io.ReadAll(a.stdin)
	case i.file == "":
		return nil, usagef("no value: give it as an argument, with --file, or as - for stdin")
	}
	return i.read(a)
}

func (i *input) read(a *app) ([]byte, error) {
	if i.file == "-" {
		return io.ReadAll(a.stdin)
	}
	data, err := os.ReadFile(i.file)
	if err != nil {
		return nil, usagef("--file: %w", err)
	}
	return data, nil
}
