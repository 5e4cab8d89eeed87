package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	cache "github.com/cachebackends/cachebackends/core"
)

// The lines of settings that the READMEs show are opened and used as they stand,
// but for the addresses and passwords.
func TestReadmeSettings(t *testing.T) {
	smaller := fmt.Sprintf(` CACHE_OPTIONS={"max_value":%d}`, servers.UwsgiBlockSize) // than the README's server has
	for _, c := range []struct {
		module, begin string
		real          func(t *testing.T) []string // what stands in place of what
	}{
		{"redis", "CACHE_TYPE=redis ", func(t *testing.T) []string {
			server := servers.StartRedis(t, "--user user on '>password' '~*' '&*' +@all")
			return []string{"localhost:6379", server.Addrs[0]}
		}},
		{"redis", "CACHE_TYPE=rediscluster ", func(t *testing.T) []string {
			cluster := servers.StartRedisCluster(t)
			return []string{"10.0.0.1:6379", cluster.Addrs[0], "10.0.0.2:6379", cluster.Addrs[1], "...", ""}
		}},
		{"redis", "CACHE_TYPE=redissentinel ", func(t *testing.T) []string {
			sentinel := servers.StartRedisSentinel(t, "hunter2", "sesame")
			return []string{"10.0.0.1:26379", sentinel.Addrs[0], "10.0.0.2:26379", sentinel.Addrs[1],
				"SENTINEL_PASSWORD=...", "SENTINEL_PASSWORD=sesame", "REDIS_PASSWORD=...", "REDIS_PASSWORD=hunter2"}
		}},
		{"memcached", "CACHE_TYPE=memcached ", func(t *testing.T) []string {
			two := servers.StartMemcached(t, 2, "")
			return []string{"10.0.0.1:11211", two.Addrs[0], "10.0.0.2:11211", two.Addrs[1]}
		}},
		{"memcached", "CACHE_TYPE=saslmemcached ", func(t *testing.T) []string {
			server := servers.StartMemcachedSASL(t, "app", "hunter2", "")
			return []string{"10.0.0.1:11211", server.Addrs[0], "...", "hunter2"}
		}},
		{"uwsgi", "CACHE_TYPE=uwsgi  CACHE_UWSGI_NAME=mycache@1", func(t *testing.T) []string {
			return []string{"mycache@127.0.0.1:3031", "first@" + servers.StartUwsgi(t, "").Addr + smaller}
		}},
		{"uwsgi", "CACHE_TYPE=uwsgi  CACHE_UWSGI_NAME=mycache@/", func(t *testing.T) []string {
			return []string{"mycache@/run/app.sock", "second@" + servers.StartUwsgi(t, "").Socket + smaller}
		}},
	} {
		t.Run(strings.Trim(c.begin, " @/1"), func(t *testing.T) {
			t.Parallel()
			settings := strings.Fields(strings.NewReplacer(c.real(t)...).Replace(readmeLine(t, c.module, c.begin)))
			store, err := cache.Open(t.Context(), cache.FromEnv(settings))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { store.Close() })
			if err := store.Set(t.Context(), "k", []byte("v")); err != nil {
				t.Fatal(err)
			}
			if value, ok, err := store.Get(t.Context(), "k"); string(value) != "v" || !ok || err != nil {
				t.Errorf("Get = %q, %v, %v", value, ok, err)
			}
		})
	}
}

// readmeLine is the line of a module's README that begins so, indented as code is.
func readmeLine(t *testing.T, module, begin string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", module, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "    "+begin) {
			return line
		}
	}
	t.Fatalf("%s/README.md has no line of settings that begins with %q", module, begin)
	return ""
}
