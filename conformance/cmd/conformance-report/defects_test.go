package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/cachebackends/cachebackends/conformance"
)

var update = flag.Bool("update", false, "write defects.json anew")

// The defects are those of the tables of the suite's tests, in which a defect is followed
// by the rule that finds it.
func TestDefects(t *testing.T) {
	defects := map[string][]string{}
	files, err := filepath.Glob("../../*_test.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if entry, is := n.(*ast.CompositeLit); is {
				if defect, rule := defectIn(entry.Elts); rule != "" && !slices.Contains(defects[rule], defect) {
					defects[rule] = append(defects[rule], defect)
				}
			}
			return true
		})
	}
	want, err := json.MarshalIndent(defects, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	switch {
	case *update:
		err = os.WriteFile("defects.json", want, 0o644)
	case !bytes.Equal(want, defectsJSON):
		t.Error("defects.json is stale: go test -run TestDefects -update")
	}
	if err != nil {
		t.Fatal(err)
	}
	for rule := range defects {
		if !slices.ContainsFunc(conformance.Cases(), func(c conformance.Case) bool { return c.ID == rule }) {
			t.Errorf("the suite has no rule %s", rule)
		}
	}
	if found := len(defects); found < len(conformance.Cases())/2 {
		t.Errorf("only %d rules have a defect", found)
	}
}

var ruleID = regexp.MustCompile(`^[A-Z]{3}-[0-9]+$`)

// defectIn returns the first two elements of an entry of a table, if they are a defect and
// the ID of a rule.
func defectIn(elements []ast.Expr) (defect, rule string) {
	if len(elements) < 2 {
		return "", ""
	}
	defect, rule = textOf(elements[0]), textOf(elements[1])
	if defect == "" || ruleID.MatchString(defect) || !ruleID.MatchString(rule) || passes(elements) {
		return "", ""
	}
	return defect, rule
}

// passes reports whether an entry ends with true: it is a backend without a defect.
func passes(elements []ast.Expr) bool {
	last, is := elements[len(elements)-1].(*ast.Ident)
	return is && last.Name == "true"
}

// textOf returns the text of an element that is a string, with or without its name.
func textOf(element ast.Expr) string {
	if named, is := element.(*ast.KeyValueExpr); is {
		element = named.Value
	}
	if literal, is := element.(*ast.BasicLit); is && literal.Kind == token.STRING {
		text, _ := strconv.Unquote(literal.Value)
		return text
	}
	return ""
}
