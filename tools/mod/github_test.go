package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.yaml.in/yaml/v4"
)

// form is an issue form, as GitHub reads it.
type form struct {
	Name        string
	Description string
	Title       string   `yaml:",omitempty"`
	Labels      []string `yaml:",omitempty"`
	Body        []struct {
		Type       string
		ID         string `yaml:",omitempty"`
		Attributes struct {
			Label, Description, Placeholder, Value, Render string `yaml:",omitempty"`
			Multiple                                       bool   `yaml:",omitempty"`
			Options                                        []any  `yaml:",omitempty"`
		}
		Validations struct{ Required bool } `yaml:",omitempty"`
	}
}

// GitHub leaves out a form with a mistake without a word.
func TestIssueForms(t *testing.T) {
	names, err := filepath.Glob("../../.github/ISSUE_TEMPLATE/*.yml")
	if err != nil || len(names) < 4 {
		t.Fatalf("forms %q, %v", names, err)
	}
	for _, name := range names {
		if filepath.Base(name) == "config.yml" {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var f form
		decoder := yaml.NewDecoder(bytes.NewReader(text))
		decoder.KnownFields(true)
		if err := decoder.Decode(&f); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if f.Name == "" || f.Description == "" {
			t.Errorf("%s has no name or no description", name)
		}
		ids := map[string]bool{}
		for _, part := range f.Body {
			switch {
			case !slices.Contains([]string{"markdown", "textarea", "input", "dropdown", "checkboxes"}, part.Type):
				t.Errorf("%s: type %q", name, part.Type)
			case part.Type == "markdown" && part.Attributes.Value == "":
				t.Errorf("%s: a markdown part has no value", name)
			case part.Type != "markdown" && (part.Attributes.Label == "" || part.ID == "" || ids[part.ID]):
				t.Errorf("%s: %s %q has no label or no id of its own", name, part.Type, part.ID)
			case (part.Type == "dropdown" || part.Type == "checkboxes") && len(part.Attributes.Options) == 0:
				t.Errorf("%s: %s has no options", name, part.ID)
			}
			ids[part.ID] = true
		}
	}
}

func TestAddToDependabot(t *testing.T) {
	const text = "updates:\n  - directories:\n      - /core\n      - /redis\n    groups:\n  - directories:\n      - /tools/mod\n"
	got, err := addToDependabot([]byte(text), "etcd")
	if want := "updates:\n  - directories:\n      - /core\n      - /etcd\n      - /redis\n    groups:\n  - directories:\n      - /tools/mod\n"; string(got) != want || err != nil {
		t.Errorf("%v, got\n%s\nwant\n%s", err, got, want)
	}
	if _, err := addToDependabot([]byte("updates:\n"), "etcd"); err == nil {
		t.Error("a file without directories: no error")
	}
}
