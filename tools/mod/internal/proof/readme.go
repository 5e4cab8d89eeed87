package proof

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"golang.org/x/tools/imports"

	"github.com/cachebackends/cachebackends/tools/mod/internal/repo"
)

// BuildReadme builds the program that README.md of a module shows, with the version of
// the files as they are now, and returns why it does not build.
func (p *Proof) BuildReadme(ctx context.Context, m repo.Module) (failure string, err error) {
	start := time.Now()
	source, err := p.Readme(m)
	if err != nil {
		return err.Error(), nil
	}
	queries := []string{m.Path + "@" + p.Next[m.Dir]}
	for _, s := range p.Released() {
		if s.Dir != m.Dir && strings.Contains(source, `"`+s.Path+`"`) {
			queries = append(queries, s.Path+"@"+p.Next[s.Dir])
		}
	}
	g, err := p.build(ctx, source, queries...)
	if wrong := (*goError)(nil); errors.As(err, &wrong) {
		return wrong.Error() + "\n" + source, nil
	}
	if err != nil {
		return "", err
	}
	g.remove()
	fmt.Fprintf(p.log, "rehearse %s: %.1f s\n", strings.Join(queries, " "), time.Since(start).Seconds())
	return "", nil
}

var codeBlock = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")

// Readme returns the program that README.md of a module shows: its first block of Go
// that begins with imports or is a whole program; for core, that of the repository.
// Without one, it is the program of [Proof.Hello]; a backend must have one.
func (p *Proof) Readme(m repo.Module) (source string, err error) {
	dir := m.Dir
	if dir == "core" {
		dir = "."
	}
	text, err := os.ReadFile(filepath.Join(p.Root, dir, "README.md"))
	if err != nil {
		return "", err
	}
	for _, block := range codeBlock.FindAllStringSubmatch(string(text), -1) {
		switch code := block[1]; {
		case strings.HasPrefix(code, "package main\n"):
			return code, nil
		case strings.HasPrefix(code, "import "):
			return inMain(code)
		}
	}
	if m.Backend() {
		return "", fmt.Errorf("%s/README.md has no block of Go that begins with imports", m.Dir)
	}
	return p.Hello(m), nil
}

// inMain makes a program of imports and statements that may use ctx and, with core,
// backend, and return an error. Imports of the standard library are added.
func inMain(block string) (string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+block, parser.ImportsOnly)
	if err != nil {
		return "", err
	}
	end := int(file.Imports[len(file.Imports)-1].End()) - len("package p\n") - 1
	if rest := block[end:]; strings.HasPrefix(strings.TrimSpace(rest), ")") {
		end += strings.Index(rest, ")") + 1
	}
	head, body := block[:end], block[end:]
	parameters, arguments := "ctx context.Context", "context.Background()"
	if strings.Contains(head, "cache \"") && strings.Contains(body, "backend") {
		parameters, arguments = parameters+", backend cache.Backend", arguments+", nil"
	}
	source := "package main\n\n" + head + "\n\nfunc main() {\n\tif err := run(" + arguments + "); err != nil {\n\t\tfmt.Fprintln(os.Stderr, err)\n\t\tos.Exit(1)\n\t}\n}\n\n" +
		"func run(" + parameters + ") error {\n"
	unused, err := declared(source + body + "\n}\n")
	if err != nil {
		return "", err
	}
	for _, name := range unused {
		body += "\n_ = " + name
	}
	out, err := imports.Process("main.go", []byte(source+body+"\nreturn nil\n}\n"), nil)
	return string(out), err
}

// declared returns the variables that the last function of a program declares.
func declared(source string) ([]string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), "main.go", source, 0)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, statement := range file.Decls[len(file.Decls)-1].(*ast.FuncDecl).Body.List {
		if assignment, ok := statement.(*ast.AssignStmt); ok && assignment.Tok == token.DEFINE {
			for _, left := range assignment.Lhs {
				if name := left.(*ast.Ident).Name; name != "_" {
					names = append(names, name)
				}
			}
		}
	}
	return names, nil
}
