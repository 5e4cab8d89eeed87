package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEntries(t *testing.T) {
	file := filepath.Join(t.TempDir(), "value")
	if err := os.WriteFile(file, []byte("in\x00file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	type step struct {
		args   string // split at blanks
		stdin  string
		status int
		stdout string
	}
	for _, test := range []struct {
		name  string
		steps []step
	}{
		{"get", []step{
			{"get k", "", statusMiss, ""},
			{"set k value", "", 0, ""},
			{"get k", "", 0, "value"},
			{"get k --newline", "", 0, "value\n"},
		}},
		{"values from a file and stdin", []step{
			{"set k --file " + file, "", 0, ""},
			{"get k", "", 0, "in\x00file\n"},
			{"set k -", "\xff\r\n", 0, ""},
			{"get k", "", 0, "\xff\r\n"},
			{"add k2 --file -", "", 0, ""},
			{"get k2", "", 0, ""},
			{"set k -- -5", "", 0, ""},
			{"get k", "", 0, "-5"},
		}},
		{"add", []step{
			{"add k first", "", 0, ""},
			{"add k second", "", statusMiss, ""},
			{"get k", "", 0, "first"},
		}},
		{"delete", []step{
			{"set a 1", "", 0, ""},
			{"set b 2", "", 0, ""},
			{"delete a b", "", 0, ""},
			{"delete a", "", statusMiss, ""},
		}},
		{"has", []step{
			{"has k", "", statusMiss, ""},
			{"set k 1", "", 0, ""},
			{"has k", "", 0, ""},
		}},
		{"ttl", []step{
			{"ttl k", "", statusMiss, ""},
			{"set k 1 --timeout 0", "", 0, ""},
			{"ttl k", "", 0, "never\n"},
		}},
		{"inc and dec", []step{
			{"inc k", "", 0, "1\n"},
			{"inc k --by 41", "", 0, "42\n"},
			{"inc k --by -2", "", 0, "40\n"},
			{"dec k --by 50", "", 0, "-10\n"},
			{"get k", "", 0, "-10"},
		}},
		{"many from lines", []step{
			{"set-many", "# comment\n\na=1\nb=x=y \n\"c\\n\"=\"\\xff\"\n", 0, ""},
			{"get-many a b missing", "", statusMiss, "a=1\nb=x=y \n"},
			{"get b", "", 0, "x=y "},
			{"get-many c\n a", "", 0, "\"c\\n\"=\"\\xff\"\na=1\n"},
		}},
		{"many from JSON", []step{
			{"set-many --file -", ` {"a": "text", "b": {"x": [1, 2]}, "c": 12345678901234567890, "d": null}`, 0, ""},
			{"get-many a b c d", "", 0, "a=text\nb={\"x\": [1, 2]}\nc=12345678901234567890\nd=null\n"},
		}},
		{"clear asks", []step{
			{"set k 1", "", 0, ""},
			{"clear", "", statusUsage, ""},
			{"clear", "n\n", statusUsage, ""},
			{"has k", "", 0, ""},
			{"clear", "y\n", 0, ""},
			{"has k", "", statusMiss, ""},
			{"set k 1", "", 0, ""},
			{"clear --yes", "", 0, ""},
			{"has k", "", statusMiss, ""},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			env := environ(t)
			for _, s := range test.steps {
				o := callWith(env, s.stdin, strings.Split(s.args, " ")...)
				if o.status != s.status || o.stdout != s.stdout {
					t.Errorf("%s: exit status %d, stdout %q, want %d, %q; stderr %q", s.args, o.status, o.stdout, s.status, s.stdout, o.stderr)
				}
				if o.status <= statusMiss && o.stderr != "" && !strings.HasPrefix(s.args, "clear") {
					t.Errorf("%s: stderr %q", s.args, o.stderr)
				}
			}
		})
	}
}

func TestClearWithPrefix(t *testing.T) {
	env := environ(t)
	prefixed := append(env, "CACHE_KEY_PREFIX=app:")
	call(env, "set", "k", "1")
	call(prefixed, "set", "k", "1")
	call(prefixed, "clear").want(t, 0, "")
	call(prefixed, "has", "k").want(t, statusMiss, "")
	call(env, "has", "k").want(t, 0, "")
}

// An empty prefix is none.
func TestClearWithEmptyPrefix(t *testing.T) {
	env := environ(t)
	call(env, "set", "k", "1")
	file := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(file, []byte(`{"CACHE_KEY_PREFIX": ""}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if o := call(env, "clear", "--config", file); o.status != statusUsage {
		t.Errorf("exit status %d; want %d, stderr %q", o.status, statusUsage, o.stderr)
	}
	call(env, "has", "k").want(t, 0, "")
}

func TestTimeoutFlag(t *testing.T) {
	for _, test := range []struct {
		text string
		want string
	}{
		{"90", "1m30s"}, {"0.5", "500ms"}, {"10m", "10m0s"}, {"0", "0s"},
		{"0.0s", "0s"}, {"-1", ""}, {"-5m", ""}, {"1e-10", ""}, {"0.1ns", ""}, {"-1e-10", ""}, {"soon", ""}, {"1e300", ""}, {"NaN", ""}, {"", ""},
	} {
		var life timeout
		err := life.Set(test.text)
		if got := life.String(); got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%q: got %q, %v, want %q", test.text, got, err, test.want)
		}
	}
}

func TestJSON(t *testing.T) {
	env := environ(t)
	call(env, "set", "text", "ä<b>")
	callWith(env, "\xff\x00", "set", "binary", "-")
	for _, test := range []struct {
		args   string
		status int
		want   string
	}{
		{"get text", 0, `{"hit":true,"key":"text","value":"ä<b>"}`},
		{"get binary", 0, `{"hit":true,"key":"binary","value_base64":"/wA="}`},
		{"get nothing", statusMiss, `{"hit":false,"key":"nothing"}`},
		{"has text", 0, `{"hit":true,"key":"text"}`},
		{"set k 1 -t 0", 0, `{"key":"k","stored":true}`},
		{"ttl k", 0, `{"expires":false,"hit":true,"key":"k"}`},
		{"ttl nothing", statusMiss, `{"hit":false,"key":"nothing"}`},
		{"add k 1", statusMiss, `{"added":false,"key":"k"}`},
		{"inc k --by 2", 0, `{"key":"k","value":3}`},
		{"dec k --by 2", 0, `{"key":"k","value":1}`},
		{"get-many text binary nothing", statusMiss, `{"missing":["nothing"],"values":{"text":"ä<b>"},"values_base64":{"binary":"/wA="}}`},
		{"delete k nothing", statusMiss, `{"deleted":["k"],"missing":["nothing"]}`},
		{"set-many", 0, `{"stored":0}`},
		{"clear --yes", 0, `{"cleared":true}`},
	} {
		call(env, append(strings.Split(test.args, " "), "--json")...).want(t, test.status, test.want+"\n")
	}
}

func TestUsage(t *testing.T) {
	config := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(config, []byte("not JSON"), 0o600); err != nil {
		t.Fatal(err)
	}
	const secret = "hunter2"
	dir := t.TempDir()
	filesystem := []string{"CACHE_TYPE=filesystem", "CACHE_DIR=" + dir}
	for _, test := range []struct {
		name string
		env  []string
		args string
		want string // part of the message
	}{
		{"unknown command", nil, "gte k", "get"},
		{"unknown flag", nil, "get k --newlines", "newlines"},
		{"no key", nil, "get", "1 arg"},
		{"two keys", nil, "has a b", "1 arg"},
		{"exec without a command", nil, "exec --", "1 arg"},
		{"short lease", nil, "exec --lease 1ms -- true", "lease"},
		{"no time for the cache", nil, "exec --cache-timeout 0 -- true", "cache-timeout"},
		{"negative output", nil, "exec --max-output -1 -- true", "max-output"},
		{"variable without a name", nil, "exec --env =b -- true", "NAME=VALUE"},
		{"two variables with one value", nil, "exec --env A,B=b -- true", "one variable for each --env"},
		{"no variable", nil, "exec --env= -- true", "empty name"},
		{"empty variable", nil, "exec --env A,,B -- true", "--env"},
		{"key and variables", nil, "exec --key k --env A -- true", "--env A has no effect"},
		{"empty key for exec", nil, "exec --key= -- true", "--key is empty"},
		{"empty config file name", nil, "get k --config=", "--config"},
		{"no value", nil, "set k", "--file"},
		{"two values", nil, "set k v --file " + config, "only one"},
		{"no such file", nil, "set k --file " + config + "x", "no such file"},
		{"negative timeout", nil, "set k v --timeout -1s", "negative"},
		{"timeout below the clock", nil, "set k v --timeout 1e-10", "shorter"},
		{"bad timeout", nil, "set k v --timeout soon", "soon"},
		{"bad number", nil, "inc k --by x", "by"},
		{"bad line", nil, "set-many --file " + config, "KEY=VALUE"},
		{"no such config file", nil, "get k --config " + config + "x", "no such file"},
		{"config file that is not JSON", nil, "get k --config " + config, config},
		{"unknown type", []string{"CACHE_TYPE=filesytem"}, "get k", "filesystem"},
		{"misspelt setting", append(filesystem, "CACHE_DIRR="+dir), "get k", "CACHE_DIR"},
		{"no directory", []string{"CACHE_TYPE=filesystem"}, "get k", "CACHE_DIR"},
		{"bad setting", append(filesystem, "CACHE_DEFAULT_TIMEOUT=soon"), "get k", "CACHE_DEFAULT_TIMEOUT"},
		{"bad setting for exec", append(filesystem, "CACHE_THRESHOLD=many"), "exec -- true", "CACHE_THRESHOLD"},
		{"secret in a setting", append(filesystem, "CACHE_DEFAULT_TIMEOUT=redis://u:"+secret+"@h"), "get k", "***"},
	} {
		t.Run(test.name, func(t *testing.T) {
			env := test.env
			if env == nil {
				env = filesystem
			}
			args := strings.Split(test.args, " ")
			o := call(env, args...)
			o.want(t, statusUsage, "")
			if !strings.HasPrefix(o.stderr, "cachectl: ") || !strings.Contains(o.stderr, test.want) || strings.Contains(o.stderr, secret) {
				t.Errorf("stderr %q, want %q in it", o.stderr, test.want)
			}
			o = call(env, append([]string{args[0], "--json"}, args[1:]...)...)
			if fields := decode(t, o.stderr); o.status != statusUsage || fields["status"] != 2.0 {
				t.Errorf("--json: exit status %d, stderr %q", o.status, o.stderr)
			}
		})
	}
	t.Run("empty key", func(t *testing.T) {
		for _, args := range [][]string{{"get", ""}, {"set", "", "v"}, {"delete", ""}, {"inc", ""}, {"get-many", "a", ""}} {
			call(filesystem, args...).want(t, statusUsage, "")
		}
	})
}

func TestBackendErrors(t *testing.T) {
	for _, kind := range []string{"broken", "unreachable"} {
		env := []string{"CACHE_TYPE=" + kind, "CACHE_IGNORE_ERRORS=true"}
		for _, args := range []string{
			"get k", "set k v", "add k v", "delete k", "has k", "ttl k", "inc k", "dec k",
			"get-many a b", "set-many", "clear --yes", "doctor",
		} {
			t.Run(fmt.Sprint(kind, " ", args), func(t *testing.T) {
				o := callWith(env, "a=1\n", strings.Split(args, " ")...)
				if o.status != statusError || !strings.HasPrefix(o.stderr, "cachectl: ") {
					t.Errorf("exit status %d, stderr %q", o.status, o.stderr)
				}
				o = callWith(env, "a=1\n", append(strings.Split(args, " "), "--json")...)
				if fields := decode(t, o.stderr); o.status != statusError || fields["error"] == "" || fields["status"] != 3.0 {
					t.Errorf("--json: exit status %d, stderr %v", o.status, fields)
				}
			})
		}
	}
	t.Run("not an integer", func(t *testing.T) {
		env := environ(t)
		call(env, "set", "k", "text")
		call(env, "inc", "k").want(t, statusError, "")
	})
	t.Run("failed keys", func(t *testing.T) {
		o := callWith([]string{"CACHE_TYPE=small"}, "a=1\nb="+strings.Repeat("x", 1000), "set-many", "--json")
		failed, _ := decode(t, o.stderr)["failed"].(map[string]any)
		if o.status != statusError || len(failed) != 1 || failed["b"] != "value too large" {
			t.Errorf("exit status %d, failed %v", o.status, failed)
		}
	})
}

func FuzzLines(f *testing.F) {
	f.Add("key", "value")
	f.Add("", "")
	f.Add("a=b", "c\nd")
	f.Add("#", `"quoted"`)
	f.Add("\"\xff", "\r")
	f.Add(`"a"`, "tab\t")
	f.Add("{user}:1", "{}")
	f.Add(" {", "")
	f.Fuzz(func(t *testing.T, key, value string) {
		line := appendLine(nil, key, []byte(value))
		items, err := parseItems(line)
		if got, ok := items[key]; err != nil || !ok || len(items) != 1 || string(got) != value {
			t.Errorf("%q: got %q, %v", line, items, err)
		}
	})
}
