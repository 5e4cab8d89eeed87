package memcached

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	cache "github.com/cachebackends/cachebackends/core"
)

const (
	secret   = "s3cr:et/+#"
	user     = "CACHE_MEMCACHED_USERNAME"
	password = "CACHE_MEMCACHED_PASSWORD"
	hosts    = "CACHE_MEMCACHED_SERVERS"
)

func TestSettings(t *testing.T) {
	for name, tt := range map[string]struct {
		settings map[string]any
		want     func(o Options) bool
	}{
		"nothing": {map[string]any{"CACHE_TYPE": "memcached"},
			func(o Options) bool {
				return slices.Equal(o.Servers, []string{"127.0.0.1:11211"}) && o.Protocol == Text && !o.Spread && o.TLS == nil
			}},
		"a dotted path": {map[string]any{"CACHE_TYPE": "flask_caching.backends.MemcachedCache"},
			func(o Options) bool { return o.Protocol == Text }},
		"servers": {map[string]any{"CACHE_TYPE": "memcached", hosts: "a:1, b,/run/m.sock,[::1]"},
			func(o Options) bool {
				return slices.Equal(o.Servers, []string{"a:1", "b:11211", "/run/m.sock", "[::1]:11211"})
			}},
		"maps": {map[string]any{"CACHE_TYPE": "memcached", hosts: []any{map[string]any{"host": "a", "port": 1}, []any{"b", 2}}},
			func(o Options) bool { return slices.Equal(o.Servers, []string{"a:1", "b:2"}) }},
		"text login": {map[string]any{"CACHE_TYPE": "memcached", user: "u", password: secret},
			func(o Options) bool { return o.Protocol == Text }},
		"SASL": {map[string]any{"CACHE_TYPE": "SASLMemcachedCache", user: "u", password: secret},
			func(o Options) bool { return o.Protocol == Binary && !o.Spread }},
		"spread with SASL": {map[string]any{"CACHE_TYPE": "SpreadSASLMemcachedCache", user: "u", password: secret},
			func(o Options) bool { return o.Protocol == Binary && o.Spread && o.MaxChunks == 32 }},
		"spread without": {map[string]any{"CACHE_TYPE": "spreadsaslmemcached"},
			func(o Options) bool { return o.Protocol == Text && o.Spread && o.ChunkSize == 1<<20-itemOverhead }},
		"options": {map[string]any{"CACHE_TYPE": "memcached", "CACHE_ALLOW_FLUSH": "yes", "CACHE_OPTIONS": `{"protocol": "binary",
				"distribution": "ketama", "spread": true, "chunk_size": 1000, "max_chunks": 5, "max_item_size": 4096, "pool_size": 3,
				"dial_timeout": "1s", "read_timeout": 2, "write_timeout": "500ms"}`},
			func(o Options) bool {
				return o.AllowFlush && o.Protocol == Binary && o.Distribution == Ketama && o.Spread && o.ChunkSize == 1000 &&
					o.MaxChunks == 5 && o.MaxItemSize == 4096 && o.PoolSize == 3 && o.DialTimeout == time.Second &&
					o.ReadTimeout == 2*time.Second && o.WriteTimeout == 500*time.Millisecond
			}},
		"constants": {map[string]any{"CACHE_TYPE": "memcached", "CACHE_OPTIONS": map[string]any{"protocol": Binary, "distribution": KetamaWeighted}},
			func(o Options) bool { return o.Protocol == Binary && o.Distribution == KetamaWeighted }},
		"TLS": {map[string]any{"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_TLS_SERVER_NAME": "name"},
			func(o Options) bool { return o.TLS.ServerName == "name" }},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := cache.Open(t.Context(), cache.FromMap(tt.settings))
			must(t, err)
			defer c.Close()
			b := c.Backend().(*Backend)
			if o := b.options; !tt.want(o) {
				t.Errorf("got %+v, by %d over %d", o, o.Protocol, o.Distribution)
			}
			if tt.settings[user] != nil && (b.options.Username != "u" || b.options.Password.Reveal() != secret) {
				t.Errorf("login %q, %q", b.options.Username, b.options.Password.Reveal())
			}
		})
	}
}

func TestInvalidSettings(t *testing.T) {
	for name, tt := range map[string]struct {
		settings map[string]any
		want     []string
	}{
		"SASL without user":     {map[string]any{"CACHE_TYPE": "saslmemcached"}, []string{user + " (Options.Username): missing"}},
		"password without user": {map[string]any{"CACHE_TYPE": "memcached", password: secret}, []string{password, "has no effect without " + user}},
		"no port":               {map[string]any{"CACHE_TYPE": "memcached", hosts: "a:x"}, []string{hosts, `"a:x" is not host:port`}},
		"URL":                   {map[string]any{"CACHE_TYPE": "memcached", hosts: "memcached://u:" + secret + "@h:1"}, []string{hosts, "a URL"}},
		"misspelt":              {map[string]any{"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVER": "h"}, []string{"did you mean " + hosts}},
		"misspelt option":       {map[string]any{"CACHE_TYPE": "memcached", "CACHE_OPTIONS": map[string]any{"poolsize": 3}}, []string{"pool_size"}},
		"unknown protocol":      {map[string]any{"CACHE_TYPE": "memcached", "CACHE_OPTIONS": map[string]any{"protocol": "udp"}}, []string{"CACHE_OPTIONS.protocol", `"udp" is not one of binary, text`}},
		"unknown distribution":  {map[string]any{"CACHE_TYPE": "memcached", "CACHE_OPTIONS": map[string]any{"distribution": "x"}}, []string{"CACHE_OPTIONS.distribution", "python_memcached"}},
		"no CA file":            {map[string]any{"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_TLS_CA": "/none"}, []string{"CACHE_MEMCACHED_TLS_CA: open /none"}},
		"several":               {map[string]any{"CACHE_TYPE": "memcached", hosts: "a:x", "CACHE_OPTIONS": map[string]any{"pool_size": "x"}}, []string{hosts, "CACHE_OPTIONS.pool_size"}},
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
		"user, a list":  {map[string]any{"CACHE_TYPE": "saslmemcached", user: []int{1}, password: secret}, user + " (Options.Username): not text"},
		"item size 0":   {map[string]any{"CACHE_OPTIONS": `{"max_item_size": 0}`}, "CACHE_OPTIONS.max_item_size (Options.MaxItemSize): 0 is too small: at least 1024"},
		"no servers":    {map[string]any{hosts: "[]"}, hosts + " (Options.Servers): an empty list"},
		"a blank file":  {map[string]any{"CACHE_MEMCACHED_TLS_CA": " "}, `CACHE_MEMCACHED_TLS_CA: " " is blank`},
		"quotes inside": {map[string]any{hosts: `a:1,"b:2`}, hosts + " (Options.Servers): not a list"},
	} {
		t.Run(name, func(t *testing.T) {
			settings := map[string]any{"CACHE_TYPE": "memcached"}
			maps.Copy(settings, tt.settings)
			_, err := cache.Open(t.Context(), cache.FromMap(settings))
			if !errors.Is(err, cache.ErrInvalidSettings) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %q alone", err, tt.want)
			}
		})
	}
}

func TestReadyClient(t *testing.T) {
	client := memcache.New("127.0.0.1:1")
	c, err := cache.Open(t.Context(), cache.FromMap(map[string]any{"CACHE_TYPE": "spreadsaslmemcached", hosts: client, "CACHE_ALLOW_FLUSH": true}))
	must(t, err)
	if b := c.Backend().(*Backend); b.store != (borrowed{client}) || !b.options.AllowFlush || !b.options.Spread {
		t.Errorf("got %+v", b)
	}
	for key, value := range map[string]any{user: "u", "CACHE_OPTIONS": map[string]any{"pool_size": 1}, hosts: (*memcache.Client)(nil)} {
		settings := map[string]any{"CACHE_TYPE": "memcached", hosts: client}
		settings[key] = value
		if _, err := cache.Open(t.Context(), cache.FromMap(settings)); !errors.Is(err, cache.ErrInvalidSettings) {
			t.Errorf("a client with %s = %v: %v; want ErrInvalidSettings", key, value, err)
		}
	}
}
