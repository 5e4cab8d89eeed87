package filesystem

import (
	"encoding/json"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	cache "github.com/cachebackends/cachebackends/core"
)

func TestSettings(t *testing.T) {
	dir := t.TempDir()
	tests := []struct {
		name     string
		settings map[string]any
		want     Options
	}{
		{"defaults", nil, Options{Threshold: 500, Mode: 0o600, HashMethod: "sha256"}},
		{
			"all, as text",
			map[string]any{"CACHE_THRESHOLD": "7", "CACHE_FILE_HASH_METHOD": "MD5", "CACHE_OPTIONS": `{"mode": "0640", "sync": true}`},
			Options{Threshold: 7, Mode: 0o640, HashMethod: "md5", Sync: true},
		},
		{
			"all, as values",
			map[string]any{"CACHE_THRESHOLD": 7, "CACHE_FILE_HASH_METHOD": "sha512", "CACHE_OPTIONS": map[string]any{"mode": fs.FileMode(0o640), "sync": true}},
			Options{Threshold: 7, Mode: 0o640, HashMethod: "sha512", Sync: true},
		},
		{"mode as Python writes it", map[string]any{"CACHE_OPTIONS": `{"mode": 384}`}, Options{Threshold: 500, Mode: 0o600, HashMethod: "sha256"}},
		{"no limit", map[string]any{"CACHE_THRESHOLD": 0}, Options{Threshold: NoLimit, Mode: 0o600, HashMethod: "sha256"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			settings := map[string]any{"CACHE_TYPE": "FileSystemCache", "CACHE_DIR": dir}
			for key, value := range test.settings {
				settings[key] = value
			}
			c, err := cache.Open(t.Context(), cache.FromMap(settings))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			test.want.Dir = dir
			if got := c.Backend().(*Backend).options; got != test.want {
				t.Errorf("options are %+v, want %+v", got, test.want)
			}
		})
	}
}

// Rule CFG-2 of the contract.
func TestBadSettings(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	writeFile(t, file, nil)
	tests := []struct {
		name     string
		settings map[string]any
		want     []string
	}{
		{"no directory", map[string]any{"CACHE_DIR": nil}, []string{"CACHE_DIR"}},
		{"empty directory", map[string]any{"CACHE_DIR": ""}, []string{"CACHE_DIR"}},
		{"a file", map[string]any{"CACHE_DIR": file}, []string{"CACHE_DIR", file}},
		{"threshold below zero", map[string]any{"CACHE_THRESHOLD": -1}, []string{"CACHE_THRESHOLD", "-1"}},
		{"threshold of text", map[string]any{"CACHE_THRESHOLD": "many"}, []string{"CACHE_THRESHOLD", "many"}},
		{"unknown hash", map[string]any{"CACHE_FILE_HASH_METHOD": "crc32"}, []string{"CACHE_FILE_HASH_METHOD", "crc32"}},
		{"mode of letters", map[string]any{"CACHE_OPTIONS": `{"mode": "rw"}`}, []string{"CACHE_OPTIONS.mode", "rw"}},
		{"mode without owner", map[string]any{"CACHE_OPTIONS": `{"mode": "0044"}`}, []string{"CACHE_OPTIONS.mode", "0044"}},
		{"octal digits as a number", map[string]any{"CACHE_OPTIONS": map[string]any{"mode": json.Number("600")}}, []string{"CACHE_OPTIONS.mode", "600"}},
		{"unknown option", map[string]any{"CACHE_OPTIONS": `{"snyc": true}`}, []string{"CACHE_OPTIONS.snyc", "sync"}},
		{"misspelt", map[string]any{"CACHE_FILE_HASH_METHD": "md5"}, []string{"CACHE_FILE_HASH_METHD", "CACHE_FILE_HASH_METHOD"}},
		{
			"all at once",
			map[string]any{"CACHE_DIR": "", "CACHE_THRESHOLD": "x", "CACHE_FILE_HASH_METHOD": "y"},
			[]string{"CACHE_DIR", "CACHE_THRESHOLD", "CACHE_FILE_HASH_METHOD"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			settings := map[string]any{"CACHE_TYPE": "filesystem", "CACHE_DIR": filepath.Join(dir, "new")}
			for key, value := range test.settings {
				settings[key] = value
			}
			c, err := cache.Open(t.Context(), cache.FromMap(settings))
			if err == nil {
				c.Close()
				t.Fatal("opened")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\ndoes not name %s", err, want)
				}
			}
			if left := files(t, dir, "new"); len(left) > 0 {
				t.Error("the directory has been created")
			}
		})
	}
}
