package memcached

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/bradfitz/gomemcache/memcache"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

func TestInvalidOptions(t *testing.T) {
	password := driver.NewSecret(secret)
	for _, tt := range []struct {
		options Options
		want    string
	}{
		{Options{Selector: new(memcache.ServerList), Servers: []string{"h:1"}}, "Options.Selector: cannot be combined with CACHE_MEMCACHED_SERVERS (Options.Servers)"},
		{Options{Selector: new(memcache.ServerList), Distribution: Ketama}, "cannot be combined with CACHE_OPTIONS.distribution"},
		{Options{Protocol: 7}, "Options.Protocol): 7 is unknown"},
		{Options{Distribution: 7}, "Options.Distribution): 7 is unknown"},
		{Options{Password: password}, "CACHE_MEMCACHED_PASSWORD (Options.Password): has no effect without CACHE_MEMCACHED_USERNAME"},
		{Options{Username: "a b"}, "Options.Username): the text login"},
		{Options{Username: "a", Password: driver.NewSecret(secret + "\r\n")}, "Options.Password): the text login"},
		{Options{Username: "a", Password: driver.NewSecret(secret + "\x00"), Protocol: Binary}, "a NUL byte"},
		{Options{ChunkSize: 1}, "Options.ChunkSize): has no effect without CACHE_OPTIONS.spread"},
		{Options{MaxChunks: 1}, "Options.MaxChunks): has no effect without CACHE_OPTIONS.spread"},
		{Options{Spread: true, MaxChunks: 10000}, "10000 is too large: at most 9999"},
		{Options{Spread: true, ChunkSize: 1 << 20}, "Options.ChunkSize): 1048576 is too large: an item has room for 1048064"},
		{Options{Spread: true, ChunkSize: 4000, MaxItemSize: 4096}, "4000 is too large: an item has room for 3584"},
		{Options{MaxItemSize: 1023}, "1023 is too small: at least 1024"},
		{Options{MaxItemSize: 1<<31 - 1}, "2147483647 is too large: at most 1073741824"},
		{Options{PoolSize: -1}, "CACHE_OPTIONS.pool_size (Options.PoolSize): -1 is too small: at least 1"},
		{Options{ReadTimeout: -1}, "-1ns is too small: at least 1ms"},
		{Options{Servers: []string{"h"}}, `CACHE_MEMCACHED_SERVERS (Options.Servers): "h" is not host:port`},
		{Options{Servers: []string{"h:70000"}}, "the port is not between 1 and 65535"},
		{Options{Servers: []string{"u:" + secret + "@h"}}, "a URL, not host:port"},
	} {
		_, err := New(t.Context(), tt.options)
		if !errors.Is(err, cache.ErrInvalidSettings) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v; want %q", tt.options, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("the password is in %v", err)
		}
	}
	_, err := New(t.Context(), Options{PoolSize: -1, MaxItemSize: 1})
	if err == nil || !strings.Contains(err.Error(), "PoolSize") || !strings.Contains(err.Error(), "MaxItemSize") {
		t.Errorf("%v; want both mistakes", err)
	}
}

// Neither options nor a backend show the password, under any verb.
func TestSecretIsNotShown(t *testing.T) {
	o := Options{Servers: []string{"127.0.0.1:1"}, Username: "u", Password: driver.NewSecret(secret)}
	b := start(t, o)
	var logged strings.Builder
	slog.New(slog.NewTextHandler(&logged, nil)).Info("", "o", o)
	encoded, err := json.Marshal(o.Password)
	must(t, err)
	texts := []string{logged.String(), string(encoded)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		texts = append(texts, fmt.Sprintf(verb, o), fmt.Sprintf(verb, &o), fmt.Sprintf(verb, b), fmt.Sprintf(verb, b.store))
	}
	for _, text := range texts {
		if strings.Contains(text, secret) || strings.Contains(text, fmt.Sprintf("%x", secret)) {
			t.Errorf("printed as %s", text)
		}
	}
}
