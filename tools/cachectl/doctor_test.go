package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/cachetest"
	"github.com/cachebackends/cachebackends/core/driver"
)

// findingsOf runs doctor and returns the findings by check.
func findingsOf(t *testing.T, o outcome) map[string]finding {
	t.Helper()
	found := make(map[string]finding)
	for _, f := range decode(t, o.stdout)["findings"].([]any) {
		f := f.(map[string]any)
		remedy, _ := f["remedy"].(string)
		found[f["check"].(string)] = finding{f["outcome"].(string), f["check"].(string), f["detail"].(string), remedy}
	}
	return found
}

func TestDoctor(t *testing.T) {
	t.Parallel() // checking rules takes seconds
	env := environ(t, "CACHE_THRESHOLD=5")
	call(env, "set", "mine", "1")
	for _, args := range [][]string{{"doctor"}, {"doctor", "--write"}, {"doctor", "--rules", "--all"}} {
		if o := call(env, args...); o.status != 0 || o.stderr != "" || strings.Contains(o.stdout, outcomeProblem) {
			t.Errorf("%v: %+v", args, o)
		} else if len(args) == 3 && (!strings.Contains(o.stdout, "BAS-1:") || !strings.Contains(o.stdout, "unsupported")) {
			t.Errorf("--all: %+v", o)
		}
	}
	call(env, "get", "mine").want(t, 0, "1") // not evicted
	entries := 0
	err := filepath.WalkDir(strings.TrimPrefix(env[1], "CACHE_DIR="), func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".cache") {
			entries++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if entries != 1 {
		t.Errorf("%d entries remain, want the one from before", entries)
	}
}

// Without --write doctor only reads.
func TestDoctorChangesNothing(t *testing.T) {
	store, env := memoryStore(t)
	fill(t, store, 10)
	store.OnCall(func(_ context.Context, op, key string) error {
		switch op {
		case "get", "get_many", "has", "ttl", "scan", "stats", "ping":
		default:
			t.Errorf("doctor called %s of %s", op, key)
		}
		return nil
	})
	if o := call(env, "doctor"); o.status != 0 {
		t.Errorf("got %+v", o)
	}
}

func TestDoctorRemovesItsKeys(t *testing.T) {
	store, env := memoryStore(t)
	if o := call(env, "doctor", "--write"); o.status != 0 {
		t.Errorf("got %+v", o)
	}
	if left := contents(t, store); len(left) != 0 {
		t.Errorf("%v remain", left)
	}
}

func TestDoctorFindsEntriesWithoutTTL(t *testing.T) {
	store, env := memoryStore(t)
	fill(t, store, 30)
	for _, test := range []struct {
		args []string
		env  []string
		want finding
	}{
		{nil, nil, finding{outcomeWarning, "expiry", "10 of 30 entries have no TTL: ", "store with a timeout"}},
		{[]string{"--sample", "1000"}, []string{"CACHE_DEFAULT_TIMEOUT=0"}, finding{outcomeWarning, "expiry", "10 of 30", "CACHE_DEFAULT_TIMEOUT=0 means never"}},
		{nil, []string{"CACHE_KEY_PREFIX=none:"}, finding{outcomeOK, "expiry", "0 of 0 entries", ""}},
	} {
		o := call(append(env, test.env...), append([]string{"doctor", "--json"}, test.args...)...)
		got := findingsOf(t, o)["expiry"]
		if o.status != 0 || got.Outcome != test.want.Outcome || !strings.HasPrefix(got.Detail, test.want.Detail) || !strings.HasPrefix(got.Remedy, test.want.Remedy) {
			t.Errorf("%v: got %+v, want %+v", test.env, got, test.want)
		}
	}
	if o := call(env, "doctor", "--strict"); o.status != statusError {
		t.Errorf("--strict: %+v", o)
	}
}

func TestDoctorFindsMissingPermissions(t *testing.T) {
	store, env := memoryStore(t)
	denied := errors.New("NOPERM no permission for this command")
	store.Fail("ttl", "", denied)
	store.Fail("inc", "", denied)
	store.Fail("lease", "", errors.ErrUnsupported)
	for _, test := range []struct {
		args []string
		want []string
	}{
		{nil, []string{"ttl fails: "}},
		{[]string{"--write"}, []string{"ttl fails: ", "inc fails: "}},
	} {
		o := call(env, append([]string{"doctor"}, test.args...)...)
		if o.status != statusError || strings.Count(o.stdout, " fails: ") != len(test.want) {
			t.Errorf("%v: %+v", test.args, o)
		}
		for _, want := range test.want {
			if !strings.Contains(o.stdout, want) || !strings.Contains(o.stdout, "NOPERM") {
				t.Errorf("%v: no %q in %s", test.args, want, o.stdout)
			}
		}
	}
}

func TestDoctorFindsDefects(t *testing.T) {
	t.Parallel()
	o := call([]string{"CACHE_TYPE=defective"}, "doctor", "--rules", "--json")
	fields := decode(t, o.stdout)
	if o.status != statusError || fields["ok"] != false || decode(t, o.stderr)["status"] != 3.0 {
		t.Errorf("exit status %d, ok is %v, stderr %q", o.status, fields["ok"], o.stderr)
	}
}

func TestDoctorDirectory(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("permissions are not in the mode of a directory")
	}
	for mode, want := range map[fs.FileMode]string{0o700: outcomeOK, 0o750: outcomeOK, 0o755: outcomeWarning, 0o777: outcomeProblem, 0o770: outcomeProblem} {
		env := environ(t)
		dir := strings.TrimPrefix(env[1], "CACHE_DIR=")
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if got := findingsOf(t, call(env, "doctor", "--json"))["directory"]; got.Outcome != want {
			t.Errorf("mode %#o: got %+v, want %s", mode, got, want)
		}
	}
}

// served is a store whose servers report info.
type served struct {
	kept
	info map[string]map[string]string
	err  error
}

func (s served) ServerInfo(context.Context) (map[string]map[string]string, error) {
	return s.info, s.err
}

// diagnose returns what the checks of a server find.
func diagnose(t *testing.T, backend string, info map[string]string) map[string]finding {
	t.Helper()
	b := served{kept{cachetest.NewStore()}, map[string]map[string]string{"host:1": info}, nil}
	config := cache.FromMap(map[string]any{"CACHE_TYPE": backend})
	d := &diagnosis{store: newEntryStore(cache.New(b), config, ""), config: config, flags: doctorFlags{sample: 10}}
	d.run(t.Context())
	found := make(map[string]finding)
	for _, f := range d.findings {
		if old, ok := found[f.Check]; !ok || old.Outcome == outcomeOK {
			found[f.Check] = f
		}
	}
	return found
}

func TestDoctorServers(t *testing.T) {
	now := fmt.Sprint(time.Now().UnixMicro())
	behind := fmt.Sprint(time.Now().Add(-time.Minute).UnixMicro())
	good := map[string]string{
		"role": "master", "maxmemory": "1000000", "maxmemory_policy": "allkeys-lru", "used_memory": "5",
		"connected_clients": "1", "maxclients": "100", "server_time_usec": now, "db0": "keys=3,expires=1,avg_ttl=0",
		"rdb_last_bgsave_status": "ok", "cluster_enabled": "0",
	}
	goodMemcached := map[string]string{
		"bytes": "5", "limit_maxbytes": "1000", "evictions": "0", "curr_connections": "1", "max_connections": "100",
		"listen_disabled_num": "0", "time": fmt.Sprint(time.Now().Unix()),
	}
	for _, test := range []struct {
		backend     string
		field, text string // in place of a good one
		check       string
		want        string
		detail      string
	}{
		{"redis", "", "", "eviction", outcomeOK, "allkeys-lru"},
		{"redis", "", "", "clock", outcomeOK, "differs by less"},
		{"redis", "", "", "connections", outcomeOK, "1 of at most 100"},
		{"redis", "", "", "prefix", outcomeWarning, "CACHE_KEY_PREFIX is not set"},
		{"redis", "role", "slave", "role", outcomeProblem, "is a replica"},
		{"redis", "cluster_enabled", "1", "role", outcomeWarning, "node of a cluster"},
		{"redis", "maxmemory", "0", "eviction", outcomeWarning, "no maxmemory"},
		{"redis", "maxmemory_policy", "noeviction", "eviction", outcomeWarning, "every write fails"},
		{"redis", "maxmemory_policy", "volatile-lru", "eviction", outcomeWarning, "2 of 3 keys have none"},
		{"redis", "rdb_last_bgsave_status", "err", "persistence", outcomeProblem, "cannot write to its disk"},
		{"redis", "connected_clients", "90", "connections", outcomeWarning, "90 of at most 100"},
		{"redis", "server_time_usec", behind, "clock", outcomeWarning, "1m0s behind"},
		{"redis", "server_time_usec", "", "clock", outcomeSkipped, "does not report its time"},
		{"memcached", "", "", "eviction", outcomeOK, "evicted nothing"},
		{"memcached", "", "", "clock", outcomeOK, "differs by less"},
		{"memcached", "evictions", "7", "eviction", outcomeWarning, "evicted 7 entries"},
		{"memcached", "listen_disabled_num", "2", "connections", outcomeWarning, "2 times"},
		{"memcached", "time", "1000", "clock", outcomeWarning, "behind"},
	} {
		info := make(map[string]string)
		for name, text := range map[string]map[string]string{"redis": good, "memcached": goodMemcached}[test.backend] {
			info[name] = text
		}
		info[test.field] = test.text
		got := diagnose(t, test.backend, info)[test.check]
		if got.Outcome != test.want || !strings.Contains(got.Detail, test.detail) || (got.Remedy == "") != (test.want == outcomeOK || test.want == outcomeSkipped) {
			t.Errorf("%s with %s %q: got %+v, want %s: %s", test.backend, test.field, test.text, got, test.want, test.detail)
		}
	}
}

func TestDoctorWithoutServerInfo(t *testing.T) {
	for _, err := range []error{driver.ErrUnavailable, errors.ErrUnsupported} {
		b := served{kept{cachetest.NewStore()}, nil, err}
		config := cache.FromMap(map[string]any{"CACHE_TYPE": "redis", "CACHE_KEY_PREFIX": "a:"})
		d := &diagnosis{store: newEntryStore(cache.New(b, cache.WithPrefix("a:")), config, ""), config: config, flags: doctorFlags{sample: 10}}
		d.run(t.Context())
		text := string(findingsText(d.findings))
		if !strings.Contains(text, "server ") || !strings.Contains(text, "CACHE_KEY_PREFIX is a:") {
			t.Errorf("%v:\n%s", err, text)
		}
	}
}
