package cache_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/cachebackends/cachebackends/core/driver"
)

var update = flag.Bool("update", false, "write generated documentation anew")

// The table of settings in the README is generated with go test -run Table -update.
func TestSettingsTable(t *testing.T) {
	const begin, end = "<!-- settings: generated -->\n", "<!-- end of settings -->\n"
	readme, err := os.ReadFile("README.md")
	must(t, err)
	before, rest, ok := strings.Cut(string(readme), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("README.md has lost the marks of its table")
	}
	var table strings.Builder
	table.WriteString("| setting | default | meaning |\n|---|---|---|\n")
	for _, s := range driver.CommonSettings() {
		def := s.Default
		if def != "" {
			def = "`" + def + "`"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", s.Name, def, s.Help)
	}
	want := before + begin + table.String() + end + after
	if *update {
		must(t, os.WriteFile("README.md", []byte(want), 0o644))
	} else if !bytes.Equal(readme, []byte(want)) {
		t.Error("the table of settings in README.md is stale: go test -run Table -update")
	}
}
