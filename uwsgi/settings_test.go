package uwsgi

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

func TestSettings(t *testing.T) {
	f := startFake(t)
	for name, tt := range map[string]struct {
		settings map[string]any
		want     func(o Options) bool
	}{
		"a name": {map[string]any{"CACHE_TYPE": "uwsgi", "CACHE_UWSGI_NAME": "c@" + f.addr},
			func(o Options) bool {
				return o == Options{Addr: f.addr, Cache: "c", MaxKey: 2048, MaxValue: 1 << 16, BufferSize: 4096, PoolSize: 16,
					DialTimeout: 5 * time.Second, ReadTimeout: 3 * time.Second, WriteTimeout: 3 * time.Second}
			}},
		"a dotted path": {map[string]any{"CACHE_TYPE": "flask_caching.contrib.uwsgicache.UWSGICache", "CACHE_UWSGI_NAME": "c@" + f.addr},
			func(o Options) bool { return o.Cache == "c" }},
		"options": {map[string]any{"CACHE_TYPE": "uwsgi", "CACHE_UWSGI_NAME": "c@" + f.addr, "CACHE_ALLOW_FLUSH": true, "CACHE_OPTIONS": `{"first_cache": true, "max_key": 100,
				"max_value": 1000, "buffer_size": 300, "pool_size": 7, "dial_timeout": "1s", "read_timeout": 2, "write_timeout": 4}`},
			func(o Options) bool {
				return o == Options{Addr: f.addr, Cache: "c", FirstCache: true, AllowFlush: true, MaxKey: 100, MaxValue: 1000, BufferSize: 300, PoolSize: 7,
					DialTimeout: time.Second, ReadTimeout: 2 * time.Second, WriteTimeout: 4 * time.Second}
			}},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := cache.Open(t.Context(), cache.FromMap(tt.settings))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if o := c.Backend().(*Backend).options; !tt.want(o) {
				t.Errorf("got %+v", o)
			}
		})
	}
}

func TestUnixSocketInSettings(t *testing.T) {
	f := startFakeUnix(t)
	c, err := cache.Open(t.Context(), cache.FromMap(map[string]any{"CACHE_TYPE": "uwsgi", "CACHE_UWSGI_NAME": "c@" + f.addr}))
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// Rule CFG-2 of the contract.
func TestInvalidSettings(t *testing.T) {
	for name, tt := range map[string]struct {
		settings map[string]any
		want     string
	}{
		"missing":         {nil, "CACHE_UWSGI_NAME (Options.Addr): missing"},
		"no server":       {map[string]any{"CACHE_UWSGI_NAME": "mycache"}, `CACHE_UWSGI_NAME (Options.Addr): "mycache" has no address: add that of the server's uwsgi socket, as in mycache@127.0.0.1:3031 or mycache@/path/to.sock`},
		"nothing after @": {map[string]any{"CACHE_UWSGI_NAME": "mycache@"}, "has no address"},
		"no port":         {map[string]any{"CACHE_UWSGI_NAME": "mycache@localhost"}, `CACHE_UWSGI_NAME (Options.Addr): "localhost" is not host:port`},
		"a list":          {map[string]any{"CACHE_UWSGI_NAME": []int{1}}, "CACHE_UWSGI_NAME: not text"},
		"empty":           {map[string]any{"CACHE_UWSGI_NAME": ""}, "CACHE_UWSGI_NAME: missing"},
		"a small buffer":  {map[string]any{"CACHE_UWSGI_NAME": "c@h:1", "CACHE_OPTIONS": map[string]any{"buffer_size": -1}}, "CACHE_OPTIONS.buffer_size (Options.BufferSize): -1 is too small"},
		"a misspelt one":  {map[string]any{"CACHE_UWSGI_NAEM": "mycache@localhost:3031"}, "did you mean CACHE_UWSGI_NAME?"},
		"an option":       {map[string]any{"CACHE_UWSGI_NAME": "c@h:1", "CACHE_OPTIONS": `{"max_keys": 1}`}, "CACHE_OPTIONS.max_keys: no such option; did you mean CACHE_OPTIONS.max_key?"},
	} {
		t.Run(name, func(t *testing.T) {
			settings := map[string]any{"CACHE_TYPE": "uwsgi"}
			for key, value := range tt.settings {
				settings[key] = value
			}
			_, err := cache.Open(t.Context(), cache.FromMap(settings))
			if !errors.Is(err, cache.ErrInvalidSettings) || strings.Count(err.Error(), tt.want) != 1 {
				t.Errorf("got %v, want %q once", err, tt.want)
			}
			if name != "a misspelt one" && strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one mistake: %v", err)
			}
		})
	}
}

// All invalid options are reported at once, before anything is sent.
func TestInvalidOptions(t *testing.T) {
	_, err := New(t.Context(), Options{Addr: "host", Cache: "a@b", MaxKey: -1, MaxValue: -1, BufferSize: 1 << 16,
		PoolSize: -1, DialTimeout: -1, ReadTimeout: -1, WriteTimeout: -1})
	if !errors.Is(err, cache.ErrInvalidSettings) {
		t.Fatalf("got %v, want %v", err, cache.ErrInvalidSettings)
	}
	for _, field := range []string{"Addr", "Cache", "MaxKey", "MaxValue", "BufferSize", "PoolSize", "DialTimeout", "ReadTimeout", "WriteTimeout"} {
		if !strings.Contains(err.Error(), "Options."+field) {
			t.Errorf("got %v, want Options.%s", err, field)
		}
	}
	if _, err := New(t.Context(), Options{BufferSize: 50}); !strings.Contains(fmt.Sprint(err), "no room for a key") {
		t.Errorf("a small buffer: %v", err)
	}
}

// The name of the cache reduces the room for keys.
func TestMaxKey(t *testing.T) {
	f := startFake(t)
	b := f.backend(t, Options{MaxKey: 5000})
	key := strings.Repeat("k", b.maxKey)
	if b.maxKey < 3900 || b.maxKey > 4096-80 {
		t.Errorf("keys of %d bytes in a buffer of 4096", b.maxKey)
	}
	if err := b.Set(t.Context(), key, make([]byte, 1000), time.Hour); err != nil {
		t.Error(err)
	}
	if err := b.Set(t.Context(), key+"k", nil, time.Hour); !errors.Is(err, cache.ErrInvalidKey) {
		t.Errorf("one byte more: %v", err)
	}
}

func TestDefaultAddress(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // before anything is sent
	if _, err := New(ctx, Options{}); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "127.0.0.1:3031") {
		t.Errorf("got %v, want a dial of 127.0.0.1:3031", err)
	}
}
