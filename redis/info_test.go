package redis

import (
	"errors"
	"fmt"
	"maps"
	"testing"

	cache "github.com/cachebackends/cachebackends/core"
)

func TestServerInfo(t *testing.T) {
	text := "# Memory\r\nmaxmemory:1024\r\nmaxmemory_policy:allkeys-lru\r\n\r\n# Keyspace\r\ndb0:keys=1,expires=0\r\n"
	f := startFake(t, func(_ int, args []string) string {
		if args[0] == "info" {
			return fmt.Sprintf("$%d\r\n%s\r\n", len(text), text)
		}
		return "-ERR unknown\r\n"
	})
	b, err := New(t.Context(), Options{Addr: f.addr})
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.ServerInfo(t.Context())
	want := map[string]string{"maxmemory": "1024", "maxmemory_policy": "allkeys-lru", "db0": "keys=1,expires=0"}
	if err != nil || len(got) != 1 || !maps.Equal(got[f.addr], want) {
		t.Errorf("ServerInfo = %v, %v; want %v of %s", got, err, want, f.addr)
	}
	b.Close()
	if _, err := b.ServerInfo(t.Context()); !errors.Is(err, cache.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestServerInfoFailures(t *testing.T) {
	for reply, want := range map[string]error{
		hangUp: cache.ErrUnavailable,
		"-NOPERM this user has no permissions to run the 'info' command\r\n": nil, // any error
	} {
		f := startFake(t, func(_ int, args []string) string {
			if args[0] == "info" {
				return reply
			}
			return "-ERR unknown\r\n"
		})
		b, err := New(t.Context(), Options{Addr: f.addr})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := b.ServerInfo(t.Context()); err == nil || got != nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%q: ServerInfo = %v, %v; want %v", reply, got, err, want)
		}
		b.Close()
	}
}
