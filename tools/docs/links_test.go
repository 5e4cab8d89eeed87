package docs

import (
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// Each relative link in a Markdown file of the repository leads to a file in it, and to
// a heading of that file if the link has a fragment.
func TestLinks(t *testing.T) {
	anchors := map[string]map[string]bool{}
	checked := 0
	for _, file := range markdownFiles(t) {
		for _, link := range linksOf(read(t, filepath.Join(root, file))) {
			target, err := url.Parse(link)
			if err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			if target.IsAbs() || target.Host != "" {
				continue
			}
			checked++
			to := file
			if target.Path != "" {
				to = path.Join(path.Dir(file), target.Path)
			}
			if _, err := os.Stat(filepath.Join(root, to)); err != nil || strings.HasPrefix(to, "../") {
				t.Errorf("%s: %s does not exist", file, link)
				continue
			}
			if target.Fragment == "" || path.Ext(to) != ".md" {
				continue
			}
			if anchors[to] == nil {
				anchors[to] = anchorsOf(read(t, filepath.Join(root, to)))
			}
			if !anchors[to][target.Fragment] {
				t.Errorf("%s: %s has no heading for #%s", file, to, target.Fragment)
			}
		}
	}
	if checked < 100 {
		t.Errorf("only %d links were checked", checked)
	}
}

func TestAnchors(t *testing.T) {
	anchors := anchorsOf("# One `cache`, two: *stores*\n\n## A & B\n\n## A & B\n\n    # code\n\nLease\n-----\n")
	for _, want := range []string{"one-cache-two-stores", "a--b", "a--b-1", "lease"} {
		if !anchors[want] {
			t.Errorf("%v lacks %s", anchors, want)
		}
	}
	if len(anchors) != 4 {
		t.Errorf("anchors: %v", anchors)
	}
}

// markdownFiles returns the Markdown files of the repository, with slashes.
func markdownFiles(t *testing.T) (files []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (name == ".git" || entry.Name() == "testdata"):
			return fs.SkipDir
		case path.Ext(name) == ".md":
			files = append(files, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

var markdown = goldmark.New(goldmark.WithExtensions(extension.GFM))

func linksOf(page string) (links []string) {
	walk(page, func(n ast.Node) {
		switch n := n.(type) {
		case *ast.Link:
			links = append(links, string(n.Destination))
		case *ast.Image:
			links = append(links, string(n.Destination))
		}
	})
	return links
}

// anchorsOf returns the anchors that a forge gives to headings: their text in lower case,
// with hyphens for spaces and without punctuation, and a number if it is repeated.
func anchorsOf(page string) map[string]bool {
	anchors, count := map[string]bool{}, map[string]int{}
	source := []byte(page)
	walk(page, func(n ast.Node) {
		heading, ok := n.(*ast.Heading)
		if !ok {
			return
		}
		anchor := strings.Map(anchorRune, strings.ToLower(textOf(heading, source)))
		if again := count[anchor]; again > 0 {
			anchors[anchor+"-"+strconv.Itoa(again)] = true
		} else {
			anchors[anchor] = true
		}
		count[anchor]++
	})
	return anchors
}

func anchorRune(r rune) rune {
	switch {
	case r == ' ':
		return '-'
	case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r):
		return r
	}
	return -1
}

func textOf(n ast.Node, source []byte) string {
	if leaf, ok := n.(*ast.Text); ok {
		return string(leaf.Segment.Value(source))
	}
	all := ""
	for child := n.FirstChild(); child != nil; child = child.NextSibling() {
		all += textOf(child, source)
	}
	return all
}

func walk(page string, visit func(ast.Node)) {
	document := markdown.Parser().Parse(text.NewReader([]byte(page)))
	ast.Walk(document, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			visit(n)
		}
		return ast.WalkContinue, nil
	})
}
