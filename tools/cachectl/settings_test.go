package main

import (
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cachebackends/cachebackends/core/driver"
)

func TestConfig(t *testing.T) {
	const secret = "hunter2"
	file := filepath.Join(t.TempDir(), "config.json")
	settings := `{"CACHE_KEY_PREFIX": "file:", "CACHE_OPTIONS": {"password": "` + secret + `", "pool_size": 3}, "OTHER": 1}`
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	env := environ(t, "CACHE_KEY_PREFIX=env:", "CACHE_DEFAULT_TIMEOUT=5m", "CACHE_VAULT_PASSWORD="+secret,
		"CACHE_VAULT_URL=vault://user:"+secret+"@host/0")
	text := call(env, "config", "--all", "--config", file)
	if text.status != 0 || strings.Contains(text.stdout, secret) || strings.Contains(text.stderr, secret) {
		t.Errorf("got %+v", text)
	}
	o := call(env, "config", "--config", file, "--json")
	got := make(map[string]any)
	from := make(map[string]any)
	for _, row := range decode(t, o.stdout)["settings"].([]any) {
		row := row.(map[string]any)
		got[row["key"].(string)] = row["value"]
		from[row["key"].(string)] = row["from"]
	}
	for _, want := range []struct {
		key   string
		value any
		from  string
	}{
		{"CACHE_TYPE", "filesystem", "environment"},
		{"CACHE_KEY_PREFIX", "file:", file},
		{"CACHE_DEFAULT_TIMEOUT", "5m", "environment"},
		{"CACHE_VAULT_PASSWORD", "***", "environment"},
		{"CACHE_IGNORE_ERRORS", false, "cachectl"},
	} {
		if got[want.key] != want.value || from[want.key] != want.from {
			t.Errorf("%s is %v from %v, want %v from %v", want.key, got[want.key], from[want.key], want.value, want.from)
		}
	}
	if strings.Contains(o.stdout, secret) {
		t.Errorf("secret in the output: %s", o.stdout)
	}
}

func TestConfigAll(t *testing.T) {
	env := environ(t, "CACHE_OTHER_PROGRAM=1", `CACHE_OPTIONS={"pool_size": 3}`)
	text := call(env, "config", "--all")
	rows := decode(t, call(env, "config", "--all", "--json").stdout)["settings"].([]any)
	row := func(key, backend string) map[string]any {
		for _, r := range rows {
			if r := r.(map[string]any); r["key"] == key && (r["backend"] == backend || r["backend"] == nil && backend == "") {
				return r
			}
		}
		t.Errorf("no row for %s of %q", key, backend)
		return nil
	}
	for _, info := range driver.Registered() {
		for _, s := range info.Declared() {
			got := row(s.Name, info.Types[0])
			if meaning, _ := got["meaning"].(string); !strings.HasPrefix(meaning, s.Help) || s.Default != "" && got["default"] != s.Default {
				t.Errorf("%s: got %v, want default %q and meaning %q", s.Name, got, s.Default, s.Help)
			}
			if !strings.Contains(text.stdout, s.Name) || !strings.Contains(text.stdout, s.Help) {
				t.Errorf("the table has no %s", s.Name)
			}
		}
	}
	if got := row("CACHE_TYPE", ""); got["value"] != "filesystem" || got["from"] != "environment" || got["meaning"] == nil {
		t.Errorf("CACHE_TYPE: %v", got)
	}
	if got := row("CACHE_OPTIONS.pool_size", "uwsgi"); got["value"] != 3.0 || got["from"] != "environment" || got["default"] != "16" {
		t.Errorf("an option that is set: %v", got)
	}
	if got := row("CACHE_OPTIONS.max_key", "uwsgi"); got["value"] != nil || got["from"] != "not set" || got["default"] != "2048" {
		t.Errorf("an option that is not set: %v", got)
	}
	if got := row("CACHE_OTHER_PROGRAM", ""); got["value"] != "***" {
		t.Errorf("a setting that no backend declares: %v", got)
	}
}

func TestConfigFileIsUsed(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "config.json")
	if err := os.WriteFile(file, []byte(`{"CACHE_TYPE": "FileSystemCache", "CACHE_DIR": "`+dir+`/entries"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	call(nil, "--config", file, "set", "k", "v").want(t, 0, "")
	call([]string{"CACHE_TYPE=null"}, "get", "k", "--config", file).want(t, 0, "v")
}

func TestDefaultDirectory(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", "")
	call(nil, "set", "k", "v").want(t, 0, "")
	call(nil, "get", "k").want(t, 0, "v")
	dir, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "cachectl")); err != nil {
		t.Error(err)
	}
}

// A job without HOME uses the home directory in the user database.
func TestDefaultDirectoryWithoutHome(t *testing.T) {
	t.Setenv("HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	u, err := user.Current()
	if err != nil {
		t.Skip(err)
	}
	o := call(nil, "config", "--json")
	want := filepath.Join(u.HomeDir, ".cache", "cachectl")
	if o.status != 0 || !strings.Contains(o.stdout, `"key":"CACHE_DIR","value":"`+want+`","from":"default"`) {
		t.Errorf("got %+v, want CACHE_DIR %s", o, want)
	}
}

// Without any home directory, exec runs its command and every other command says
// which setting it needs.
func TestNoDefaultDirectory(t *testing.T) {
	noDirectory := func() string { return "" }
	defer func(saved func() string) { userCacheDir = saved }(userCacheDir)
	userCacheDir = noDirectory

	o := call(asProgram, execArgs(nil, childArgs(traceFile(t), "print", "7"))...)
	if o.status != 7 || o.stdout != childOut || !strings.Contains(o.stderr, "warning: running without the cache: no home directory") {
		t.Errorf("exec: %+v", o)
	}
	if o := call(nil, "get", "k"); o.status != statusUsage || !strings.Contains(o.stderr, "CACHE_DIR") {
		t.Errorf("get: %+v", o)
	}
	if o := call(nil, "config"); o.status != 0 || !strings.Contains(o.stdout, "filesystem") {
		t.Errorf("config: %+v", o)
	}
	call([]string{"CACHE_DIR=" + t.TempDir()}, "set", "k", "v").want(t, 0, "")
	call([]string{"CACHE_TYPE=simple"}, "get", "k").want(t, statusMiss, "")
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if o := call(nil, "completion", shell); o.status != 0 || !strings.Contains(o.stdout, "cachectl") {
			t.Errorf("%s: %+v", shell, o)
		}
	}
	for _, test := range []struct{ args, want string }{
		{"ge", "get-many\t"},
		{"exec --cache", "--cache-failures\t"},
		{"exec --env NA", "NAME\n"},
		{"set k --timeout ", "5m\n"},
	} {
		o := call([]string{"NAME=secret"}, append([]string{"__complete"}, strings.Split(test.args, " ")...)...)
		if !strings.Contains(o.stdout, test.want) || strings.Contains(o.stdout, "secret") {
			t.Errorf("%q completes to %q", test.args, o.stdout)
		}
	}
}

func TestVersionAndHelp(t *testing.T) {
	for _, args := range []string{"--version", "--help", "exec --help", "help get"} {
		if o := call(nil, strings.Split(args, " ")...); o.status != 0 || !strings.Contains(o.stdout, "cachectl") || o.stderr != "" {
			t.Errorf("%s: %+v", args, o)
		}
	}
}
