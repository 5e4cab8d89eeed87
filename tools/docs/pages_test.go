package docs

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/campoy/embedmd/embedmd"
)

const root = "../.."

// The pages in docs show the programs as they are. A page embeds a file, or the part of
// one that two regular expressions delimit, by a line of embedmd:
//
//	[embedmd]:# (../tools/docs/programs/ping/main.go go /func open/ /^}/)
func TestPages(t *testing.T) {
	shown := ""
	for _, page := range pages(t) {
		text := read(t, page)
		shown += text
		var embedded strings.Builder
		if err := embedmd.Process(&embedded, strings.NewReader(text), embedmd.WithBaseDir(filepath.Dir(page))); err != nil {
			t.Errorf("%s: %v", page, err)
			continue
		}
		compare(t, page, embedded.String())
		for _, block := range program.FindAllString(text, -1) {
			if !strings.HasPrefix(block, "[embedmd]:# (") {
				t.Errorf("%s has a program that no test runs: put it into tools/docs/programs and embed it", page)
			}
		}
	}
	for _, dir := range programs(t) {
		if !strings.Contains(shown, "/programs/"+dir+"/main.go ") {
			t.Errorf("no page shows programs/%s", dir)
		}
	}
}

// program matches the beginning of a program with the line before its block.
var program = regexp.MustCompile("(?m)^.*\n```go\n(// .*\n)*package main\n")

// pages returns the pages in docs.
func pages(t *testing.T) []string {
	t.Helper()
	pages, err := filepath.Glob(root + "/docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatal("no pages:", err)
	}
	return pages
}
