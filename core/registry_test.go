package cache_test

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

func openFake(context.Context, *cache.Settings) (cache.Backend, error) { return newFake(), nil }

// Every name of the design leads to its backend, by each path, in any case.
func TestNames(t *testing.T) {
	names := map[string]string{
		"null": "NullCache", "simple": "SimpleCache", "filesystem": "FileSystemCache", "redis": "RedisCache",
		"rediscluster": "RedisClusterCache", "redissentinel": "RedisSentinelCache", "memcached": "MemcachedCache",
		"saslmemcached": "SASLMemcachedCache", "spreadsaslmemcached": "SpreadSASLMemcachedCache",
		"uwsgi": "UWSGICache", "gcs": "GoogleCloudStorageCache", "myapp.cache.MyCustomCache": "MYAPP.cache.mycustomcache",
	}
	for name, class := range names {
		var r cache.Registry
		r.Register(name, openFake)
		for _, path := range []string{"", "flask_caching.backends.", "flask_caching.contrib.", "flask_caching.contrib.uwsgicache."} {
			for _, typ := range []string{path + name, path + class, strings.ToUpper(path + class), " " + path + name + " "} {
				if path != "" && strings.Contains(name, ".") {
					continue
				}
				if _, err := r.Open(t.Context(), cache.FromMap(map[string]any{"CACHE_TYPE": typ})); err != nil {
					t.Errorf("CACHE_TYPE %q: %v", typ, err)
				}
			}
		}
	}
}

// Rule CFG-1 of the contract.
func TestUnknownType(t *testing.T) {
	var r cache.Registry
	r.Register("simple", openFake)
	r.Register("myapp.cache.MyCustomCache", openFake)
	for _, tt := range []struct {
		name string
		typ  any
		want []string
	}{
		{"ours, not imported", "RedisSentinelCache", []string{`"RedisSentinelCache"`, "registered: myapp.cache.mycustomcache, simple", "go get github.com/cachebackends/cachebackends/redis and import"}},
		{"misspelt", "simpel", []string{"did you mean simple?"}},
		{"unknown", "shelf", []string{`"shelf" is not registered`, "registered: ", "imported?"}},
		{"path of somebody else", "werkzeug.contrib.SimpleCache", []string{"is not registered"}},
		{"not set", nil, []string{"CACHE_TYPE: not set", "go get github.com/cachebackends/cachebackends/null"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := r.Open(t.Context(), cache.FromMap(map[string]any{"CACHE_TYPE": tt.typ}))
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want %q", err, want)
				}
			}
		})
	}
	var empty cache.Registry
	if _, err := empty.Open(t.Context(), cache.Config{}); err == nil || !strings.Contains(err.Error(), "registered: none") {
		t.Errorf("nothing registered: %v", err)
	}
}

func TestRegisterTwice(t *testing.T) {
	var r cache.Registry
	r.Register("simple", openFake)
	defer func() {
		if recover() == nil {
			t.Error("no panic although SimpleCache is the same name")
		}
	}()
	r.Register("SimpleCache", openFake)
}

func TestDefaultRegistry(t *testing.T) {
	name := "registry_test." + strings.ToLower(rand.Text()) // nobody unregisters it between two runs of the test
	cache.Register(name, openFake)
	if !slices.Contains(cache.Registered(), name) {
		t.Errorf("Registered() = %q", cache.Registered())
	}
	c, err := cache.Open(t.Context(), cache.FromEnv([]string{"CACHE_TYPE=" + name}))
	must(t, err)
	must(t, c.Close())
}

func TestOpenAppliesSettings(t *testing.T) {
	var r cache.Registry
	backend := newRich()
	r.Register("test", func(context.Context, *cache.Settings) (cache.Backend, error) { return backend, nil })
	c, err := r.Open(t.Context(), cache.FromMap(map[string]any{
		"CACHE_TYPE": "test", "CACHE_KEY_PREFIX": "p:", "CACHE_DEFAULT_TIMEOUT": "2m", "CACHE_IGNORE_ERRORS": 1,
	}))
	must(t, err)
	must(t, c.Set(t.Context(), "k", nil))
	if backend.ttls["p:k"] != 2*time.Minute {
		t.Errorf("stored with %v; want the prefix and the timeout of the settings", backend.ttls)
	}
	backend.fail = failOn("", errDown)
	if err := c.Set(t.Context(), "k", nil); err != nil {
		t.Errorf("%v; want errors ignored", err)
	}
	c, err = r.Open(t.Context(), cache.FromMap(map[string]any{"CACHE_TYPE": "test", "CACHE_KEY_PREFIX": "p:"}), cache.WithPrefix("q:"))
	must(t, err)
	backend.fail = nil
	must(t, c.Set(t.Context(), "k", nil))
	if _, ok := backend.ttls["q:k"]; !ok {
		t.Error("an option does not go before the setting")
	}
}

// An opener that overlooks its own errors gets no cache.
func TestOpenerThatForgetsErr(t *testing.T) {
	var r cache.Registry
	backend := newFake()
	r.Register("test", func(_ context.Context, s *cache.Settings) (cache.Backend, error) {
		s.Int("CACHE_X", 0)
		return backend, nil
	})
	_, err := r.Open(t.Context(), cache.FromMap(map[string]any{"CACHE_TYPE": "test", "CACHE_X": "abc"}))
	if err == nil || !backend.closed {
		t.Errorf("error %v, backend closed: %v", err, backend.closed)
	}
}

func TestErrorOfOpener(t *testing.T) {
	var r cache.Registry
	r.Register("test", func(context.Context, *cache.Settings) (cache.Backend, error) { return nil, errDown })
	if _, err := r.Open(t.Context(), cache.FromMap(map[string]any{"CACHE_TYPE": "test"})); !errors.Is(err, errDown) {
		t.Errorf("error %v", err)
	}
}
