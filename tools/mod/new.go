package main

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/spf13/cobra"
	"golang.org/x/mod/modfile"
	modpath "golang.org/x/mod/module"
)

func (a *app) newCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "new NAME",
		Short: "Write the module of a new backend",
		Long: `Write the module of a new backend: it compiles, opens from settings, passes verify
and runs the conformance suite, which is red where there is code to write.

It is entered into go.work, into the table of README.md, and into the go.mod of
conformance/integration, where the suite runs over every backend: a module's own
tests may not import it, since what tests import reaches every user.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.scaffold(cmd.Context(), args[0])
		},
	}
}

//go:embed scaffold/*.tmpl
var scaffolds embed.FS

// skeleton is what the templates are filled with.
type skeleton struct {
	Name, Upper, Title string
	Root               string // module path of the repository
	Go                 string // the go line of core
	Core               string // version of core
}

var backendName = regexp.MustCompile(`^[a-z][a-z0-9]*$`)

func (a *app) scaffold(ctx context.Context, name string) error {
	w, err := a.open()
	if err != nil {
		return err
	}
	if !backendName.MatchString(name) || token.IsKeyword(name) || slices.Contains([]string{"cache", "internal", "main", "testdata", "vendor"}, name) {
		return fmt.Errorf("%q cannot be the name of a package beside cache: want small letters and digits", name)
	}
	if _, err := os.Stat(filepath.Join(w.Root, name)); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is there already", name)
	}
	core, _ := w.find(w.Path + "/core")
	tagged, err := w.versions(ctx)
	if err != nil {
		return err
	}
	b := skeleton{
		Name: name, Upper: strings.ToUpper(name), Title: strings.ToUpper(name[:1]) + name[1:],
		Root: w.Path, Go: core.File.Go.Version, Core: firstVersion,
	}
	if versions := tagged["core"]; len(versions) > 0 {
		b.Core = versions[len(versions)-1]
	}
	files, err := b.files()
	if err != nil {
		return err
	}
	if err := w.enter(b, files); err != nil {
		return err
	}
	written := []string{}
	for file, text := range files {
		path := filepath.Join(w.Root, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
		written = append(written, file)
	}
	if a.json {
		slices.Sort(written)
		return a.printJSON(written)
	}
	fmt.Fprintf(a.stdout, nextSteps, name, b.Title)
	return nil
}

const nextSteps = `%[1]s is there. What is left to do:
  1. %[1]s/%[1]s.go: each method says what it has to do, and that it is not written yet.
  2. cd conformance/integration && go test -run 'Test%[2]s$' .
     Red until then; most rules run once Set and Get work. Declare in %[1]s_test.go
     what the store cannot do, and remove from there what it can. Where there is a
     server, have the test start one (see redis_test.go).
  3. %[1]s/options.go and config.go: the address is an example. Settings that users
     should find in the README of core go into core/known.go, the name into core/names.go.
  4. A client: clients in tools/mod/gomod.go allows it, and nothing else.
  5. %[1]s/README.md, and its row in README.md.
  6. go run ./tools/mod verify && go run ./tools/mod check --update %[1]s
     tools/mod/golden/%[1]s.txt then lists what its users pull: look at it.
`

const integration = "conformance/integration/go.mod"

// files are the texts of the new module and its test, by name.
func (b skeleton) files() (map[string][]byte, error) {
	all, err := template.ParseFS(scaffolds, "scaffold/*.tmpl")
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, t := range all.Templates() {
		var text bytes.Buffer
		if err := t.Execute(&text, b); err != nil {
			return nil, err
		}
		file := b.Name + "/" + strings.Replace(strings.TrimSuffix(t.Name(), ".tmpl"), "name", b.Name, 1)
		if t.Name() == "integration_test.go.tmpl" {
			file = "conformance/integration/" + b.Name + "_test.go"
		}
		files[file] = text.Bytes()
	}
	return files, nil
}

// enter adds to files those of the repository that have to know the new module.
func (w *workspace) enter(b skeleton, files map[string][]byte) error {
	texts := map[string][]byte{}
	for _, name := range []string{"LICENSE", "README.md", "go.work", integration} {
		text, err := os.ReadFile(filepath.Join(w.Root, name))
		if err != nil {
			return err
		}
		texts[name] = text
	}
	files[b.Name+"/LICENSE"] = texts["LICENSE"]

	rows := tableRow.FindAllIndex(texts["README.md"], -1)
	if len(rows) == 0 {
		return errors.New("README.md has no table of backends")
	}
	last := rows[len(rows)-1][0]
	end := last + bytes.IndexByte(texts["README.md"][last:], '\n') + 1
	row := fmt.Sprintf("| [%[1]s](%[1]s) | `%[1]s` | a server of %[1]s | nothing |\n", b.Name)
	files["README.md"] = slices.Insert(texts["README.md"], end, []byte(row)...)

	work, err := modfile.ParseWork("go.work", texts["go.work"], nil)
	if err != nil {
		return err
	}
	if err := work.AddUse("./"+b.Name, ""); err != nil {
		return err
	}
	work.SortBlocks()
	work.Cleanup()
	files["go.work"] = modfile.Format(work.Syntax)

	files[integration], err = b.required(texts[integration])
	return err
}

// required adds the module to the go.mod of the tests over real servers. Its
// replace stands where that of core does; modfile would begin a block of its own.
func (b skeleton) required(goMod []byte) ([]byte, error) {
	path := b.Root + "/" + b.Name
	core := regexp.MustCompile(`(?m)^(.*)` + regexp.QuoteMeta(b.Root) + `/core => ../../core$`)
	goMod = core.ReplaceAll(goMod, []byte("$0\n${1}"+path+" => ../../"+b.Name))
	file, err := modfile.Parse(integration, goMod, nil)
	if err != nil {
		return nil, err
	}
	added := &modfile.Require{Mod: modpath.Version{Path: path, Version: firstVersion}}
	file.SetRequireSeparateIndirect(append(file.Require, added))
	file.SortBlocks()
	file.Cleanup()
	return file.Format()
}
