package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	_ "github.com/cachebackends/cachebackends/memcached" // so that mod skew, which tests one backend, leaves this out
	_ "github.com/cachebackends/cachebackends/redis"
)

// cachectl is the built command and the settings of stores by name.
type cachectl struct {
	binary string
	dir    string // of the files with settings
}

// buildCachectl builds cachectl, a program that no module imports.
func buildCachectl(t *testing.T) *cachectl {
	t.Helper()
	dir := t.TempDir()
	c := &cachectl{filepath.Join(dir, "cachectl"), dir}
	build := exec.Command("go", "build", "-tags", "gcs", "-o", c.binary, ".")
	build.Dir = filepath.Join("..", "..", "tools", "cachectl")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return c
}

// config writes settings, with a key prefix, and returns the file.
func (c *cachectl) config(t *testing.T, settings map[string]any, prefix string) string {
	t.Helper()
	settings = maps.Clone(settings)
	settings["CACHE_KEY_PREFIX"] = prefix
	text, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.CreateTemp(c.dir, "*.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(text); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// run returns stdout, and fails the test if the exit status is not 0.
func (c *cachectl) run(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), c.binary, args...)
	cmd.Env = []string{} // a job without HOME and PATH
	cmd.Stdin = strings.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%v: %v\n%s%s", args, err, out, stderr.Bytes())
	}
	return string(out)
}

// Cachectl copies entries with their TTLs from any store to any other one, and its other
// commands work with each of them.
func TestCachectl(t *testing.T) {
	if race {
		t.Skip("cachectl is another process, built without the race detector")
	}
	busy(t)
	type settings = map[string]any
	endpoint, newBucket := startGCS(t)
	newBucket("copied")
	stores := map[string]settings{
		"filesystem":    {"CACHE_TYPE": "filesystem", "CACHE_DIR": t.TempDir(), "CACHE_THRESHOLD": 100_000},
		"redis":         {"CACHE_TYPE": "redis", "CACHE_REDIS_URL": "redis://" + servers.StartRedis(t, "").Addrs[0]},
		"redis cluster": {"CACHE_TYPE": "rediscluster", "CACHE_REDIS_CLUSTER": servers.StartRedisCluster(t, 0).Addrs},
		"memcached":     {"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVERS": servers.StartMemcached(t, 1, "").Addrs[0]},
		"gcs":           gcsSettings(endpoint, "copied"),
	}
	names := slices.Sorted(maps.Keys(stores))
	c := buildCachectl(t)

	const n = 120 // more than a batch
	var input strings.Builder
	for i := range n {
		fmt.Fprintf(&input, `{"key": "k:%d", "value": "value %d", "ttl_seconds": %d}`+"\n", i, i, 3600+i)
	}
	fmt.Fprintln(&input, `{"key": "forever", "value_base64": "AP8=", "expires": false}`)
	want := fmt.Sprintf("%d entries, ", n+1)
	for _, name := range names {
		source := c.config(t, stores[name], "source:")
		if out := c.run(t, input.String(), "--config", source, "warm", "--verify"); !strings.HasPrefix(out, "stored "+want) {
			t.Errorf("%s: warm: %s", name, out)
		}
	}
	for _, from := range names {
		source := c.config(t, stores[from], "source:")
		for _, to := range names {
			destination := c.config(t, stores[to], from+":") // no copy of another pair
			if strings.Contains(from, " ") {
				destination = c.config(t, stores[to], "cluster:")
			}
			out := c.run(t, "", "copy", source, destination, "--verify")
			if !strings.HasPrefix(out, "copied "+want) || !strings.Contains(out, fmt.Sprintf(" %d verified", n+1)) {
				t.Errorf("%s to %s: %s", from, to, out)
			}
			if got := c.run(t, "", "--config", destination, "get", "forever"); got != "\x00\xff" {
				t.Errorf("%s to %s: got %q", from, to, got)
			}
			if got := c.run(t, "", "--config", destination, "ttl", "forever"); got != "never\n" {
				t.Errorf("%s to %s: TTL %q", from, to, got)
			}
		}
		t.Run(from, func(t *testing.T) {
			if got := c.run(t, "", "--config", source, "ls", "--keys", "--sort", "key", "--limit", "2"); got != "forever\nk:0\n" {
				t.Errorf("ls: %q", got)
			}
			if got := c.run(t, "", "--config", source, "du"); !strings.Contains(got, fmt.Sprintf("%10d %10d  k:\n", n, 0)) || !strings.Contains(got, fmt.Sprintf("%10d %10d  total\n", n+1, 1)) {
				t.Errorf("du: %s", got)
			}
			dump := c.run(t, "", "--config", source, "dump")
			if got := c.run(t, dump, "--config", c.config(t, stores[from], "restored:"), "restore", "--verify"); !strings.HasPrefix(got, "restored "+want) {
				t.Errorf("restore: %s", got)
			}
			if got := c.run(t, "", "--config", source, "doctor", "--write"); strings.Contains(got, "problem ") || !strings.Contains(got, "1 of 121 entries have no TTL: forever") {
				t.Errorf("doctor: %s", got)
			}
			var activity map[string]any
			line, _, _ := strings.Cut(c.run(t, "", "--config", source, "top", "--once", "--interval", "100ms", "--json"), "\n")
			if err := json.Unmarshal([]byte(line), &activity); err != nil {
				t.Fatalf("top: %v: %s", err, line)
			}
			if hits, isServer := activity["hits_per_second"]; isServer != (from != "filesystem" && from != "gcs") {
				t.Errorf("top: hits are %v", hits)
			}
		})
	}
}
