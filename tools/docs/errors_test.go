package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	cache "github.com/cachebackends/cachebackends/core"
)

// The page of errors has each exported error of the released modules, with its text.
func TestErrorsPage(t *testing.T) {
	page := read(t, root+"/docs/errors.md")
	found := 0
	for _, pattern := range []string{"core/driver/*.go", "*/*.go"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			for name, message := range exportedErrors(t, file) {
				found++
				if row := fmt.Sprintf("\n| `%s` | %s |", name, message); !strings.Contains(page, row) {
					t.Errorf("%s: docs/errors.md has no row that begins with %s", file, row)
				}
			}
		}
	}
	if found < 13 {
		t.Errorf("only %d exported errors were found", found)
	}
}

// exportedErrors returns the texts of the exported errors that a file declares, by the
// names that programs use.
func exportedErrors(t *testing.T, file string) map[string]string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	pkg := strings.Replace(parsed.Name.Name, "driver", "cache", 1)
	texts := map[string]string{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, "Err") {
			return true
		}
		call, ok := spec.Values[0].(*ast.CallExpr)
		if !ok || len(call.Args) != 1 {
			return true
		}
		if text, ok := call.Args[0].(*ast.BasicLit); ok {
			texts[pkg+"."+spec.Names[0].Name], _ = strconv.Unquote(text.Value)
		}
		return true
	})
	return texts
}

// A backend that is not imported is an error that names its module.
func TestImportHints(t *testing.T) {
	files, err := filepath.Glob(root + "/*/settings.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no backends:", err)
	}
	for _, file := range files {
		module := filepath.Base(filepath.Dir(file))
		_, err := cache.Open(t.Context(), cache.FromMap(map[string]any{"CACHE_TYPE": module}))
		if want := "go get github.com/cachebackends/cachebackends/" + module; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("CACHE_TYPE=%s: %v, which lacks %q", module, err, want)
		}
	}
}
