package filesystem

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

func TestSettings(t *testing.T) {
	dir := t.TempDir()
	tests := []struct {
		name     string
		settings map[string]any
		want     Options
	}{
		{"defaults", nil, Options{Threshold: 500, Mode: 0o600, HashMethod: "sha256", LockTimeout: 5 * time.Second}},
		{
			"all, as text",
			map[string]any{"CACHE_THRESHOLD": "7", "CACHE_FILE_HASH_METHOD": "MD5", "CACHE_OPTIONS": `{"mode": "0640", "sync": true, "lock_timeout": "2s"}`},
			Options{Threshold: 7, Mode: 0o640, HashMethod: "MD5", Sync: true, LockTimeout: 2 * time.Second},
		},
		{
			"all, as values",
			map[string]any{"CACHE_THRESHOLD": 7, "CACHE_FILE_HASH_METHOD": "sha512", "CACHE_OPTIONS": map[string]any{"mode": fs.FileMode(0o640), "sync": true, "lock_timeout": 0.5}},
			Options{Threshold: 7, Mode: 0o640, HashMethod: "sha512", Sync: true, LockTimeout: 500 * time.Millisecond},
		},
		{"mode as a number", map[string]any{"CACHE_OPTIONS": `{"mode": 416}`}, Options{Threshold: 500, Mode: 0o640, HashMethod: "sha256", LockTimeout: 5 * time.Second}},
		{"mode as a Mode", map[string]any{"CACHE_OPTIONS": map[string]any{"mode": Mode(0o640)}}, Options{Threshold: 500, Mode: 0o640, HashMethod: "sha256", LockTimeout: 5 * time.Second}},
		{"mode as an int", map[string]any{"CACHE_OPTIONS": map[string]any{"mode": 0o640}}, Options{Threshold: 500, Mode: 0o640, HashMethod: "sha256", LockTimeout: 5 * time.Second}},
		{"mode as Python prints it", map[string]any{"CACHE_OPTIONS": map[string]any{"mode": "0o640"}}, Options{Threshold: 500, Mode: 0o640, HashMethod: "sha256", LockTimeout: 5 * time.Second}},
		{"no limit", map[string]any{"CACHE_THRESHOLD": 0}, Options{Threshold: NoLimit, Mode: 0o600, HashMethod: "sha256", LockTimeout: 5 * time.Second}},
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
func TestInvalidSettings(t *testing.T) {
	dir := t.TempDir()
	tests := []struct {
		name     string
		settings map[string]any
		want     []string
	}{
		{"no directory", map[string]any{"CACHE_DIR": nil}, []string{"CACHE_DIR (Options.Dir): missing"}},
		{"empty directory", map[string]any{"CACHE_DIR": ""}, []string{"CACHE_DIR (Options.Dir): missing"}},
		{"negative threshold", map[string]any{"CACHE_THRESHOLD": -1}, []string{"CACHE_THRESHOLD: -1 is too small: at least 0"}},
		{"more negative threshold", map[string]any{"CACHE_THRESHOLD": -5}, []string{"CACHE_THRESHOLD: -5 is too small: at least 0"}},
		{"zero for the lock", map[string]any{"CACHE_OPTIONS": `{"lock_timeout": 0}`}, []string{"CACHE_OPTIONS.lock_timeout (Options.LockTimeout): 0s is too small: at least 1ms"}},
		{"threshold of letters", map[string]any{"CACHE_THRESHOLD": "many"}, []string{`CACHE_THRESHOLD: "many" is not a whole number`}},
		{"unknown hash", map[string]any{"CACHE_FILE_HASH_METHOD": "crc32"}, []string{`CACHE_FILE_HASH_METHOD (Options.HashMethod): "crc32" is not md5`}},
		{"mode of letters", map[string]any{"CACHE_OPTIONS": `{"mode": "rw"}`}, []string{`CACHE_OPTIONS.mode (Options.Mode): "rw" is not permissions`}},
		{"mode without owner", map[string]any{"CACHE_OPTIONS": `{"mode": "0044"}`}, []string{`CACHE_OPTIONS.mode (Options.Mode): "0044" is not permissions`}},
		{"mode of zero", map[string]any{"CACHE_OPTIONS": `{"mode": 0}`}, []string{`CACHE_OPTIONS.mode (Options.Mode): 0 is not permissions`}},
		{"octal digits as a number", map[string]any{"CACHE_OPTIONS": map[string]any{"mode": json.Number("600")}}, []string{"CACHE_OPTIONS.mode (Options.Mode): 600 is not permissions"}},
		{"mode that is a list", map[string]any{"CACHE_OPTIONS": `{"mode": ["0600"]}`}, []string{"CACHE_OPTIONS.mode (Options.Mode): not permissions"}},
		{"no time for the lock", map[string]any{"CACHE_OPTIONS": `{"lock_timeout": -1}`}, []string{"CACHE_OPTIONS.lock_timeout (Options.LockTimeout): "}},
		{"unknown option", map[string]any{"CACHE_OPTIONS": `{"snyc": true}`}, []string{"CACHE_OPTIONS.snyc: no such option; did you mean CACHE_OPTIONS.sync?"}},
		{"misspelt", map[string]any{"CACHE_FILE_HASH_METHD": "md5"}, []string{"CACHE_FILE_HASH_METHD: no such setting; did you mean CACHE_FILE_HASH_METHOD?"}},
		{
			"all at once",
			map[string]any{"CACHE_DIR": "", "CACHE_THRESHOLD": "x", "CACHE_FILE_HASH_METHOD": "y"},
			[]string{"CACHE_DIR (", "CACHE_THRESHOLD:", "CACHE_FILE_HASH_METHOD ("},
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
			if !errors.Is(err, driver.ErrInvalidSettings) {
				t.Errorf("%v is not ErrInvalidSettings", err)
			}
			for _, want := range test.want {
				if strings.Count(err.Error(), want) != 1 {
					t.Errorf("%q is not once in: %v", want, err)
				}
			}
			if n := strings.Count(err.Error(), "\n") + 1; n != len(test.want) {
				t.Errorf("%d mistakes reported, want %d: %v", n, len(test.want), err)
			}
			if left := files(t, dir, "new"); len(left) > 0 {
				t.Error("the directory has been created")
			}
		})
	}
}

// A path that a shell, a file of variables or a habit has left as it is creates no
// directory of that name.
func TestDirectoryThatIsNotMeant(t *testing.T) {
	t.Chdir(t.TempDir())
	for dir, want := range map[string]string{
		`"cache`: "quote", `cache'`: "quote", "file:///cache": "URL", "~": "not expanded", "~/cache": "not expanded",
		"$HOME/cache": "not expanded", "/tmp/${APP}": "not expanded",
	} {
		_, err := cache.Open(t.Context(), cache.FromMap(map[string]any{"CACHE_TYPE": "filesystem", "CACHE_DIR": dir}))
		if !errors.Is(err, driver.ErrInvalidSettings) || !strings.Contains(err.Error(), "CACHE_DIR (Options.Dir): ") || !strings.Contains(err.Error(), want) {
			t.Errorf("Open of %s: %v; want ErrInvalidSettings and %q", dir, err, want)
		}
	}
	if left, _ := filepath.Glob("*"); len(left) > 0 {
		t.Errorf("created: %q", left)
	}
}

func TestUnusableDirectorySetting(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	writeFile(t, file, nil)
	_, err := cache.Open(t.Context(), cache.FromMap(map[string]any{"CACHE_TYPE": "filesystem", "CACHE_DIR": file}))
	if !errors.Is(err, driver.ErrUnavailable) || !strings.Contains(err.Error(), "CACHE_DIR (Options.Dir): ") || !strings.Contains(err.Error(), file) {
		t.Errorf("Open = %v, want ErrUnavailable, the setting and the path", err)
	}
}
