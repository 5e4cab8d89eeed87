package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
)

// manCommand writes the man pages of a release.
func (a *app) manCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIRECTORY",
		Short:  "Write the man pages to a directory",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return usagef("%w", err)
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true
			escapeCommand(root)
			// Without a date, the pages have that of SOURCE_DATE_EPOCH or today's.
			header := &doc.GenManHeader{Section: "1", Source: "cachectl " + readVersion().Version, Manual: "cachectl"}
			return doc.GenManTree(root, header, args[0])
		},
	}
}

// escapeCommand escapes the texts of cmd and of its subcommands, which cobra reads as
// Markdown.
func escapeCommand(cmd *cobra.Command) {
	cmd.Short, cmd.Long = escapeMarkdown(cmd.Short), escapeMarkdown(cmd.Long)
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) { f.Usage = escapeMarkdown(f.Usage) })
	for _, child := range cmd.Commands() {
		escapeCommand(child)
	}
}

var markdown = strings.NewReplacer("_", `\_`, "*", `\*`, "<", `\<`)

// escapeMarkdown turns text into Markdown. Indented lines stay as they are.
func escapeMarkdown(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "  ") {
			out.WriteString("    " + line) // a block of code
		} else {
			out.WriteString(markdown.Replace(line))
		}
	}
	return out.String()
}
