package main

import (
	"bytes"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
)

// verifyFiles checks the files that every released module has, and a backend's
// test in conformance/integration.
func (w *workspace) verifyFiles(m module, f *findings) {
	read := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join(w.Root, m.Dir, name))
		if err != nil || len(bytes.TrimSpace(text)) == 0 {
			f.add(m.Dir, "files", "%s is missing or empty", name)
			return nil
		}
		return text
	}
	read("README.md")
	if text := read("CHANGELOG.md"); text != nil {
		if _, ok := section(string(text), "Unreleased"); !ok {
			f.add(m.Dir, "files", "CHANGELOG.md has no section Unreleased")
		}
	}
	ours, _ := os.ReadFile(filepath.Join(w.Root, "LICENSE"))
	if text := read("LICENSE"); text != nil && !bytes.Equal(text, ours) {
		f.add(m.Dir, "files", "LICENSE is not that of the repository")
	}
	if text := read("doc.go"); text != nil {
		file, err := parser.ParseFile(token.NewFileSet(), "doc.go", text, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil || !strings.HasPrefix(file.Doc.Text(), "Package "+file.Name.Name+" ") {
			f.add(m.Dir, "files", "doc.go has no comment that begins with Package and its name")
		}
	}
	if m.Backend() {
		read("../conformance/integration/" + m.Dir + "_test.go")
	}
}
