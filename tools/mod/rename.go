package main

import (
	"bytes"
	"context"
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/mod/modfile"
	modpath "golang.org/x/mod/module"
)

func (a *app) renameCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rename ROOT",
		Short: "Publish the repository under another root path",
		Long: `Publish the repository under another root path, such as
example.com/you/caches, which core, redis and all others then begin with.

Every file that git tracks is rewritten: module paths, imports, requirements,
replaces and documentation. The tree must be clean, so that git can take it back.
What is left of the old path afterwards is a finding.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.rename(cmd.Context(), args[0])
		},
	}
}

func (a *app) rename(ctx context.Context, root string) error {
	w, err := a.open()
	if err != nil {
		return err
	}
	if err := modpath.CheckPath(root); err != nil {
		return err
	}
	if within(root, w.Path) || within(w.Path, root) {
		return fmt.Errorf("%s and %s: one is inside of the other, which could not be taken apart again", w.Path, root)
	}
	dirty, err := w.git(ctx, "status", "--porcelain")
	if err != nil {
		return err
	}
	if dirty != "" {
		return a.report([]finding{{Check: "dirty", Text: "the tree differs from HEAD:\n" + strings.TrimRight(dirty, "\n")}})
	}
	names, err := w.gitList(ctx, "ls-files", "-z")
	if err != nil {
		return err
	}
	// The path, but not another that begins with it.
	old := regexp.MustCompile(regexp.QuoteMeta(w.Path) + `([^\w-]|$)`)
	var left findings
	rewritten := []string{}
	for _, name := range names {
		file := filepath.Join(w.Root, name)
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		after := old.ReplaceAll(text, []byte(root+"$1"))
		if !bytes.Equal(text, after) {
			if after, err = tidied(name, after); err != nil {
				return err
			}
			if err := os.WriteFile(file, after, 0); err != nil { // the file is there, and keeps its mode
				return err
			}
			rewritten = append(rewritten, name)
		}
		left = append(left, remains(name, w.Path, root, after)...)
	}
	switch {
	case len(left) > 0:
		return a.report(left)
	case a.json:
		return a.printJSON(rewritten)
	}
	fmt.Fprintf(a.stdout, "%s is %s now, in %d files. Look at them (git diff), then: make check test\n", w.Path, root, len(rewritten))
	return nil
}

// tidied brings back the order of imports and requirements, which follows paths.
func tidied(name string, text []byte) ([]byte, error) {
	switch {
	case filepath.Base(name) == "go.mod":
		file, err := modfile.Parse(name, text, nil)
		if err != nil {
			return nil, err
		}
		file.SortBlocks()
		return file.Format()
	case filepath.Ext(name) == ".go":
		formatted, err := format.Source(text)
		if err != nil {
			return text, nil // testdata that is wrong on purpose
		}
		return formatted, nil
	}
	return text, nil
}

// remains finds what a file still says of the old path, or of its last two
// elements, as addresses on sites of badges and the like have them.
func remains(name, old, root string, text []byte) findings {
	elements := strings.Split(old, "/")
	short := strings.Join(elements[max(0, len(elements)-2):], "/")
	var left findings
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		if strings.Contains(strings.ToLower(strings.ReplaceAll(line, root, "")), strings.ToLower(short)) {
			left.add("", "rename", "%s:%d still has %s: %s", name, number, short, strings.TrimSpace(line))
		}
	}
	return left
}
