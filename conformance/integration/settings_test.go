package integration

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/cachebackends/cachebackends/core/driver"
	_ "github.com/cachebackends/cachebackends/filesystem"
	_ "github.com/cachebackends/cachebackends/gcs"
	_ "github.com/cachebackends/cachebackends/memcached"
	_ "github.com/cachebackends/cachebackends/null"
	_ "github.com/cachebackends/cachebackends/redis"
	_ "github.com/cachebackends/cachebackends/simple"
	_ "github.com/cachebackends/cachebackends/tiered"
	_ "github.com/cachebackends/cachebackends/uwsgi"
)

var update = flag.Bool("update", false, "write the tables of settings in the READMEs anew")

// The table of settings in each README is generated from what the backend declares:
// go test -run SettingsTables -update
func TestSettingsTables(t *testing.T) {
	const begin, end = "<!-- settings: generated -->\n", "<!-- end of settings -->\n"
	for _, info := range driver.Registered() {
		if info.Settings == nil {
			continue
		}
		module := filepath.Base(reflect.TypeOf(info.Settings).PkgPath())
		t.Run(module, func(t *testing.T) {
			path := filepath.Join("..", "..", module, "README.md")
			readme, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			before, rest, ok := strings.Cut(string(readme), begin)
			_, after, ok2 := strings.Cut(rest, end)
			if !ok || !ok2 {
				t.Fatal("README.md has lost the marks of its table")
			}
			want := before + begin + settingsTable(info) + end + after
			if *update {
				err = os.WriteFile(path, []byte(want), 0o644)
			} else if string(readme) != want {
				err = fmt.Errorf("the table of settings in %s is stale: go test -run SettingsTables -update", path)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

func settingsTable(info driver.Info) string {
	var table strings.Builder
	table.WriteString("| setting | option of Go | default | meaning |\n|---|---|---|---|\n")
	for _, s := range info.Declared() {
		name := s.Name
		if option, ok := strings.CutPrefix(name, "CACHE_OPTIONS."); ok {
			name = option + "` in `CACHE_OPTIONS"
		}
		help := s.Help
		if s.Required {
			help += "; required"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", name, code(strings.TrimPrefix(s.Field, "Options.")), code(s.Default), help)
	}
	return table.String()
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}
