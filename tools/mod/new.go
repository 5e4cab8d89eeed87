package main

import (
	"bytes"
	"cmp"
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

	"github.com/cachebackends/cachebackends/tools/mod/internal/repo"
)

func (a *app) newCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "new NAME",
		Short: "Write the module of a new backend",
		Long: `Write the module of a new backend. It compiles, opens from settings, passes verify
and runs the conformance suite, which fails where code is missing.

The module is added to go.work, to the table of README.md, to dependabot.yml and to
the go.mod of conformance/integration, where the suite runs over every backend: a module's own
tests must not import the suite, because users download what tests import.`,
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
	r, err := repo.Open(a.root)
	if err != nil {
		return err
	}
	if !backendName.MatchString(name) || token.IsKeyword(name) || slices.Contains([]string{"cache", "driver", "internal", "main", "testdata", "vendor"}, name) {
		return fmt.Errorf("%q cannot be the name of a package beside cache: small letters and digits", name)
	}
	if _, err := os.Stat(filepath.Join(r.Root, name)); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s exists", name)
	}
	tagged, err := r.Versions(ctx)
	if err != nil {
		return err
	}
	b := skeleton{
		Name: name, Upper: strings.ToUpper(name), Title: strings.ToUpper(name[:1]) + name[1:],
		Root: r.Path, Go: r.Core().File.Go.Version, Core: cmp.Or(lastRelease(tagged["core"]), repo.FirstVersion),
	}
	files, err := b.files()
	if err != nil {
		return err
	}
	if err := b.edit(r.Root, files); err != nil {
		return err
	}
	for file, text := range files {
		path := filepath.Join(r.Root, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
	}
	fmt.Fprintf(a.stdout, nextSteps, name, b.Title)
	return nil
}

const nextSteps = `%[1]s has been written. Next steps:
  1. %[1]s/%[1]s.go: the methods; comments describe what each must do.
  2. cd conformance/integration && go test -run 'Test%[2]s$' .
     It fails until then; most rules run as soon as Get and Set work. Declare in
     %[1]s_test.go what the store does not support, and start a server (see redis_test.go).
  3. %[1]s/options.go: the settings; the address is an example.
     go test -run SettingsTables -update in conformance/integration writes their table.
  4. If it requires a client: add the client to mayRequire in tools/mod/verify.go.
  5. %[1]s/README.md, its row in README.md, and its types in modules of
     core/driver/register.go, for the hint "go get".
  6. go run ./tools/mod verify && go run ./tools/mod check --update %[1]s
     Then tools/mod/golden/%[1]s.txt lists what users download.
`

const integration = repo.Integration + "/go.mod"

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
			file = repo.Integration + "/" + b.Name + "_test.go"
		}
		files[file] = text.Bytes()
	}
	return files, nil
}

// edit adds to files the texts of those files of the repository that list modules.
func (b skeleton) edit(root string, files map[string][]byte) error {
	texts := map[string][]byte{}
	for _, name := range []string{"LICENSE", "README.md", "go.work", integration, dependabotFile} {
		text, err := os.ReadFile(filepath.Join(root, name))
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

	if files[dependabotFile], err = addToDependabot(texts[dependabotFile], b.Name); err != nil {
		return err
	}
	files[integration], err = b.require(texts[integration])
	return err
}

// require adds the module to the go.mod of the tests over real servers. Its replace
// is put beside that of core because modfile would begin a block of its own.
func (b skeleton) require(goMod []byte) ([]byte, error) {
	path := b.Root + "/" + b.Name
	core := regexp.MustCompile(`(?m)^(.*)` + regexp.QuoteMeta(b.Root) + `/core => ../../core$`)
	goMod = core.ReplaceAll(goMod, []byte("$0\n${1}"+path+" => ../../"+b.Name))
	file, err := modfile.Parse(integration, goMod, nil)
	if err != nil {
		return nil, err
	}
	added := &modfile.Require{Mod: modpath.Version{Path: path, Version: repo.FirstVersion}}
	file.SetRequireSeparateIndirect(append(file.Require, added))
	file.SortBlocks()
	file.Cleanup()
	return file.Format()
}
