package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The programs in the READMEs compile.
func TestProgramsInReadmes(t *testing.T) {
	readmes, err := filepath.Glob("../../*/README.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, readme := range append(readmes, "../../README.md") {
		text, err := os.ReadFile(readme)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range strings.Split(string(text), "```go\n")[1:] {
			program, _, _ := strings.Cut(block, "```")
			if strings.HasPrefix(program, "package main") {
				found++
				build(t, readme, program)
			}
		}
	}
	if found == 0 {
		t.Error("no README contains a program that begins with \"package main\"")
	}
}

func build(t *testing.T, readme, program string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "vet", file).CombinedOutput(); err != nil {
		t.Errorf("the program in %s: %v\n%s", readme, err, out)
	}
}
