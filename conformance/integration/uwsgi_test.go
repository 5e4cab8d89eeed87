package integration

import (
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance"
	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/uwsgi"
)

// uwsgiAt is the harness of one cache of a server.
func uwsgiAt(name string) conformance.Harness {
	open := func(t *testing.T) cache.Backend {
		t.Helper()
		c, err := cache.Open(t.Context(), cache.FromMap(map[string]any{
			"CACHE_TYPE": "uwsgi", "CACHE_UWSGI_NAME": name,
			"CACHE_OPTIONS": map[string]any{"max_value": servers.UwsgiBlockSize},
		}))
		if err != nil {
			t.Fatal(err)
		}
		return c.Backend()
	}
	return conformance.Harness{
		New:    open,
		Stores: conformance.Stores{Reopen: func(t *testing.T, _ cache.Backend) cache.Backend { return open(t) }},
		// The server counts whole seconds. They are rounded up twice, so that no entry expires early.
		Limits: conformance.Limits{Resolution: 2100 * time.Millisecond, MaxKey: 2048, MaxValue: servers.UwsgiBlockSize},
		Traits: map[conformance.Trait]string{
			conformance.ReadsBeforeDelete: "the server reports expired entries as deleted",
		},
		Unsupported: map[conformance.Feature]string{
			conformance.Counter:     "the server counts for its own workers only: the protocol has no such command",
			conformance.PrefixClear: "the protocol cannot list keys",
			conformance.Threshold:   "the items of the cache, which the server was started with, bound it",
		},
	}
}

func TestUwsgi(t *testing.T) {
	server := servers.StartUwsgi(t, "")
	h := uwsgiAt("first@" + server.Addr)
	h.Server, h.ServerVersion = "uwsgi", server.Version(t)
	h.Faults = &conformance.Faults{
		Addr: server.Addr,
		New: func(t *testing.T, addr string) (cache.Backend, error) {
			return uwsgi.New(t.Context(), uwsgi.Options{Addr: addr, Cache: "first", MaxValue: servers.UwsgiBlockSize})
		},
	}
	spare := servers.StartUwsgi(t, "")
	h.Stores.ClearAllowed = func(t *testing.T) cache.Backend {
		return newUwsgi(t, uwsgi.Options{Addr: spare.Addr, Cache: "first", FirstCache: true})
	}
	h.Stores.ClearForbidden = func(t *testing.T) cache.Backend { return newUwsgi(t, uwsgi.Options{Addr: spare.Addr, Cache: "second"}) }
	conformance.Run(t, h)
}

func TestUwsgiSecondUnix(t *testing.T) {
	t.Parallel()
	server := servers.StartUwsgi(t, "")
	h := uwsgiAt("second@" + server.Socket)
	h.Name = "uwsgi-unix"
	h.Server, h.ServerVersion = "uwsgi", server.Version(t)
	h.Unsupported[conformance.Network] = "faults of the wire are tested over TCP"
	h.Unsupported[conformance.FullClear] = "told to clear a cache that is not its first, the server crashes or clears a part"
	conformance.Run(t, h)
}
