package redis

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	goredis "github.com/redis/go-redis/v9"
)

func TestSettings(t *testing.T) {
	for name, tt := range map[string]struct {
		settings map[string]any
		want     func(b *Backend) bool
	}{
		"nothing": {map[string]any{"CACHE_TYPE": "redis"},
			func(b *Backend) bool { return b.one.Options().Addr == "localhost:6379" && b.pipeline != nil }},
		"a dotted path": {map[string]any{"CACHE_TYPE": "flask_caching.backends.RedisCache"},
			func(b *Backend) bool { return b.one != nil }},
		"host and port": {map[string]any{"CACHE_TYPE": "redis", "CACHE_REDIS_HOST": "h", "CACHE_REDIS_PORT": "7"},
			func(b *Backend) bool { return b.one.Options().Addr == "h:7" }},
		"port": {map[string]any{"CACHE_TYPE": "redis", "CACHE_REDIS_PORT": 7},
			func(b *Backend) bool { return b.one.Options().Addr == "localhost:7" }},
		"IPv6": {map[string]any{"CACHE_TYPE": "redis", "CACHE_REDIS_HOST": "::1"},
			func(b *Backend) bool { return b.one.Options().Addr == "[::1]:6379" }},
		"a socket": {map[string]any{"CACHE_TYPE": "redis", "CACHE_REDIS_HOST": "/run/r.sock"},
			func(b *Backend) bool {
				return b.one.Options().Addr == "/run/r.sock" && b.one.Options().Network == "unix"
			}},
		"credentials": {map[string]any{"CACHE_TYPE": "redis", "CACHE_REDIS_USERNAME": "u", "CACHE_REDIS_PASSWORD": secret, "CACHE_REDIS_DB": 3},
			func(b *Backend) bool {
				o := b.one.Options()
				return o.Username == "u" && o.Password == secret && o.DB == 3
			}},
		"URL": {map[string]any{"CACHE_TYPE": "redis", "CACHE_REDIS_URL": "rediss://u:p@localhost:7/2"},
			func(b *Backend) bool {
				o := b.one.Options()
				return o.Addr == "localhost:7" && o.Username == "u" && o.Password == "p" && o.DB == 2 && o.TLSConfig != nil
			}},
		"options": {map[string]any{"CACHE_TYPE": "redis", "CACHE_ALLOW_FLUSH": "yes", "CACHE_OPTIONS": `{"pool_size": 3, "min_idle_conns": 0,
				"dial_timeout": "1s", "read_timeout": 2, "conn_max_idle_time": "4m", "write_timeout": "500ms", "auto_pipeline": false}`},
			func(b *Backend) bool {
				o := b.one.Options()
				return b.allowFlush && b.pipeline == nil && o.PoolSize == 3 && o.DialTimeout == time.Second &&
					o.PoolTimeout == 3*time.Second && o.ConnMaxIdleTime == 4*time.Minute
			}},
		"several hosts": {map[string]any{"CACHE_TYPE": "redis", "CACHE_REDIS_HOST": "a:1, b"},
			func(b *Backend) bool { return slices.Equal(b.cluster.Options().Addrs, []string{"a:1", "b:6379"}) }},
		"cluster": {map[string]any{"CACHE_TYPE": "redis", "CACHE_REDIS_CLUSTER": "a:1,b:2"},
			func(b *Backend) bool { return slices.Equal(b.cluster.Options().Addrs, []string{"a:1", "b:2"}) }},
		"cluster type": {map[string]any{"CACHE_TYPE": "RedisClusterCache", "CACHE_REDIS_CLUSTER": []any{map[string]any{"host": "a", "port": 1}}},
			func(b *Backend) bool { return slices.Equal(b.cluster.Options().Addrs, []string{"a:1"}) }},
		"cluster of one host": {map[string]any{"CACHE_TYPE": "rediscluster", "CACHE_REDIS_HOST": "a"},
			func(b *Backend) bool { return slices.Equal(b.cluster.Options().Addrs, []string{"a:6379"}) }},
		"cluster by URL": {map[string]any{"CACHE_TYPE": "rediscluster", "CACHE_REDIS_URL": "rediss://u:p@localhost:7"},
			func(b *Backend) bool {
				o := b.cluster.Options()
				return slices.Equal(o.Addrs, []string{"localhost:7"}) && o.Username == "u" && o.Password == "p" && o.TLSConfig != nil
			}},
		"replicas": {map[string]any{"CACHE_TYPE": "rediscluster", "CACHE_REDIS_CLUSTER": "a:1", "CACHE_OPTIONS": map[string]any{"read_from_replicas": true}},
			func(b *Backend) bool { return b.cluster.Options().ReadOnly }},
		"sentinels": {map[string]any{"CACHE_TYPE": "redissentinel", "CACHE_REDIS_SENTINELS": []any{[]any{"a", 1}, []any{"b", 2}},
			"CACHE_REDIS_SENTINEL_MASTER": "m", "CACHE_REDIS_SENTINEL_USERNAME": "su", "CACHE_REDIS_SENTINEL_PASSWORD": ""},
			func(b *Backend) bool { return b.one != nil && b.one.Options().Addr == "FailoverClient" }},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := cache.Open(t.Context(), cache.FromMap(tt.settings))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if b := c.Backend().(*Backend); !tt.want(b) {
				t.Errorf("got %+v", b)
			}
		})
	}
}

// Rules CFG-2 and CFG-7 of the contract.
func TestInvalidSettings(t *testing.T) {
	for name, tt := range map[string]struct {
		settings map[string]any
		want     []string
	}{
		"sentinels missing":         {map[string]any{"CACHE_TYPE": "redissentinel"}, []string{"CACHE_REDIS_SENTINELS (Options.Sentinels): missing"}},
		"nodes missing":             {map[string]any{"CACHE_TYPE": "rediscluster"}, []string{"CACHE_REDIS_CLUSTER (Options.Cluster): missing"}},
		"URL and password":          {map[string]any{"CACHE_TYPE": "redis", "CACHE_REDIS_URL": "redis://h", "CACHE_REDIS_PASSWORD": secret}, []string{"CACHE_REDIS_URL (Options.URL): cannot be combined with CACHE_REDIS_PASSWORD (Options.Password)"}},
		"URL and host, port":        {map[string]any{"CACHE_TYPE": "redis", "CACHE_REDIS_URL": "redis://h", "CACHE_REDIS_HOST": "h", "CACHE_REDIS_PORT": 1}, []string{"combined with CACHE_REDIS_HOST", "combined with CACHE_REDIS_PORT"}},
		"cluster and sentinels":     {map[string]any{"CACHE_TYPE": "redis", "CACHE_REDIS_CLUSTER": "h:1", "CACHE_REDIS_SENTINELS": "h:1"}, []string{"CACHE_REDIS_CLUSTER (Options.Cluster): cannot be combined with CACHE_REDIS_SENTINELS"}},
		"host and sentinels":        {map[string]any{"CACHE_TYPE": "redissentinel", "CACHE_REDIS_HOST": "h", "CACHE_REDIS_SENTINELS": "h:1"}, []string{"CACHE_REDIS_HOST (Options.Addr): cannot be combined with CACHE_REDIS_SENTINELS"}},
		"misspelt":                  {map[string]any{"CACHE_TYPE": "redis", "CACHE_REDIS_ULR": "redis://h"}, []string{"did you mean CACHE_REDIS_URL?"}},
		"misspelt option":           {map[string]any{"CACHE_TYPE": "redis", "CACHE_OPTIONS": map[string]any{"poolsize": 3}}, []string{"CACHE_OPTIONS.poolsize", "pool_size"}},
		"no numbers":                {map[string]any{"CACHE_TYPE": "redis", "CACHE_REDIS_PORT": "x", "CACHE_REDIS_DB": "y"}, []string{"CACHE_REDIS_PORT", "CACHE_REDIS_DB"}},
		"URL in the host":           {map[string]any{"CACHE_TYPE": "redis", "CACHE_REDIS_HOST": "redis://:" + secret + "@h"}, []string{"a URL, not host:port"}},
		"bad URL":                   {map[string]any{"CACHE_TYPE": "redis", "CACHE_REDIS_URL": "redis://:" + secret + "@h"}, []string{"CACHE_REDIS_URL (Options.URL): cannot be parsed"}},
		"bad URL of a cluster":      {map[string]any{"CACHE_TYPE": "rediscluster", "CACHE_REDIS_URL": "redis://:" + secret + "@h"}, []string{"CACHE_REDIS_URL (Options.URL): cannot be parsed"}},
		"URL of a cluster and user": {map[string]any{"CACHE_TYPE": "rediscluster", "CACHE_REDIS_URL": "redis://h", "CACHE_REDIS_USERNAME": "u"}, []string{"combined with CACHE_REDIS_USERNAME"}},
		"several":                   {map[string]any{"CACHE_TYPE": "redis", "CACHE_REDIS_HOST": "h:x", "CACHE_OPTIONS": map[string]any{"pool_size": "x", "read_timeout": -1}}, []string{"CACHE_REDIS_HOST", "CACHE_OPTIONS.pool_size", "CACHE_OPTIONS.read_timeout"}},
		"no CA file":                {map[string]any{"CACHE_TYPE": "redis", "CACHE_REDIS_TLS_CA": "/none"}, []string{"CACHE_REDIS_TLS_CA: open /none"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := cache.Open(t.Context(), cache.FromMap(tt.settings))
			if !errors.Is(err, cache.ErrInvalidSettings) {
				t.Fatalf("%v; want ErrInvalidSettings", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v; want %q", err, want)
				}
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the password is in %v", err)
			}
		})
	}
}

// One mistake is reported once, by the setting that has it.
func TestOneMistake(t *testing.T) {
	for name, tt := range map[string]struct {
		settings map[string]any
		want     string
	}{
		"port, a word":         {map[string]any{"CACHE_REDIS_PORT": "x"}, `CACHE_REDIS_PORT: "x" is not a whole number`},
		"port too large":       {map[string]any{"CACHE_REDIS_PORT": 99999, "CACHE_REDIS_HOST": "h"}, "CACHE_REDIS_PORT: 99999 is too large: at most 65535"},
		"port negative":        {map[string]any{"CACHE_REDIS_PORT": -1}, "CACHE_REDIS_PORT: -1 is too small: at least 1"},
		"port 0":               {map[string]any{"CACHE_REDIS_PORT": 0}, "CACHE_REDIS_PORT: 0 is too small: at least 1"},
		"sentinels":            {map[string]any{"CACHE_TYPE": "redissentinel", "CACHE_REDIS_SENTINELS": "a b", "CACHE_REDIS_SENTINEL_MASTER": "m"}, "CACHE_REDIS_SENTINELS (Options.Sentinels): not a list"},
		"nodes":                {map[string]any{"CACHE_TYPE": "rediscluster", "CACHE_REDIS_CLUSTER": 5, "CACHE_OPTIONS": map[string]any{"read_from_replicas": true}}, "CACHE_REDIS_CLUSTER (Options.Cluster): not a list"},
		"hosts of a cluster":   {map[string]any{"CACHE_TYPE": "rediscluster", "CACHE_REDIS_HOST": 5}, "CACHE_REDIS_HOST: not a list"},
		"URL of a cluster":     {map[string]any{"CACHE_TYPE": "rediscluster", "CACHE_REDIS_URL": "redis://h\n"}, "CACHE_REDIS_URL (Options.URL): text with a line end"},
		"no host":              {map[string]any{"CACHE_REDIS_HOST": ","}, "CACHE_REDIS_HOST: an empty list"},
		"no hosts":             {map[string]any{"CACHE_REDIS_HOST": []string{}}, "CACHE_REDIS_HOST: an empty list"},
		"password of a node":   {map[string]any{"CACHE_REDIS_CLUSTER": []any{map[string]any{"host": "h", "port": 1, "password": secret}}}, `CACHE_REDIS_CLUSTER (Options.Cluster): a list with a map that has the unknown key "password"`},
		"blank file":           {map[string]any{"CACHE_REDIS_TLS_CA": " "}, `CACHE_REDIS_TLS_CA: " " is blank`},
		"timeout of zero":      {map[string]any{"CACHE_OPTIONS": map[string]any{"read_timeout": 0}}, "CACHE_OPTIONS.read_timeout (Options.ReadTimeout): 0s is too small: at least 1ms"},
		"an option outside":    {map[string]any{"CACHE_OPTIONS.pool_size": 5}, "CACHE_OPTIONS.pool_size: no such setting: put pool_size inside CACHE_OPTIONS"},
		"URL in place of type": {map[string]any{"CACHE_TYPE": "redis://u:" + secret + "@h"}, "a URL is not a type: set CACHE_REDIS_URL to it"},
	} {
		t.Run(name, func(t *testing.T) {
			settings := map[string]any{"CACHE_TYPE": "redis"}
			maps.Copy(settings, tt.settings)
			_, err := cache.Open(t.Context(), cache.FromMap(settings))
			if !errors.Is(err, cache.ErrInvalidSettings) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), secret) {
				t.Errorf("more than one mistake, or a secret: %v", err)
			}
		})
	}
}

// The program's own Secret arrives in the client.
func TestSecretAsValue(t *testing.T) {
	c, err := cache.Open(t.Context(), cache.FromMap(map[string]any{"CACHE_TYPE": "redis", "CACHE_REDIS_PASSWORD": cache.Secret(secret)}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := c.Backend().(*Backend).one.Options().Password; got != secret {
		t.Errorf("the password is %q", got)
	}
}

func TestReadyClient(t *testing.T) {
	client := goredis.NewClient(&goredis.Options{})
	defer client.Close()
	c, err := cache.Open(t.Context(), cache.FromMap(map[string]any{"CACHE_TYPE": "redis", "CACHE_REDIS_HOST": client, "CACHE_ALLOW_FLUSH": true}))
	if err != nil {
		t.Fatal(err)
	}
	if b := c.Backend().(*Backend); b.one != client || !b.borrowed || !b.allowFlush {
		t.Errorf("got %+v", b)
	}
	for _, key := range []string{"CACHE_REDIS_PORT", "CACHE_REDIS_DB"} {
		_, err := cache.Open(t.Context(), cache.FromMap(map[string]any{"CACHE_TYPE": "redis", "CACHE_REDIS_HOST": client, key: 1}))
		if !errors.Is(err, cache.ErrInvalidSettings) {
			t.Errorf("a client with %s: %v; want ErrInvalidSettings", key, err)
		}
	}
}

func TestTLS(t *testing.T) {
	c, err := cache.Open(t.Context(), cache.FromMap(map[string]any{"CACHE_TYPE": "redis", "CACHE_REDIS_TLS_SERVER_NAME": "name"}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if config := c.Backend().(*Backend).one.Options().TLSConfig; config == nil || config.ServerName != "name" {
		t.Error("TLS is not on")
	}
}
