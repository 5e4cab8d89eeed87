package main

import (
	"os"
	"strings"
	"testing"
)

// A command that is not in the README is not found by users.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, cmd := range (&app{}).rootCommand().Commands() {
		if !strings.Contains(string(text), "cachectl "+cmd.Name()) && !strings.Contains(string(text), "`"+cmd.Name()+"`") {
			t.Errorf("%s is not in the README", cmd.Name())
		}
	}
}
