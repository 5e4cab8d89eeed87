package integration

import (
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance"
	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	cache "github.com/cachebackends/cachebackends/core"
	_ "github.com/cachebackends/cachebackends/flask"
	"github.com/cachebackends/cachebackends/uwsgi"
)

// uwsgiAt returns the harness for a cache, by its CACHE_UWSGI_NAME.
func uwsgiAt(name string) conformance.Harness { return uwsgiWith(name, false) }

func uwsgiWith(name string, flask bool) conformance.Harness {
	open := func(t *testing.T) cache.Backend {
		t.Helper()
		c, err := cache.Open(t.Context(), cache.FromMap(patient(map[string]any{
			"CACHE_TYPE": "uwsgi", "CACHE_UWSGI_NAME": name, "CACHE_FLASK": flask,
			"CACHE_OPTIONS": map[string]any{"max_value": servers.UwsgiBlockSize},
		})))
		if err != nil {
			t.Fatal(err)
		}
		return c.Backend()
	}
	return conformance.Harness{
		New:    open,
		Stores: conformance.Stores{Reopen: func(t *testing.T, _ cache.Backend) cache.Backend { return open(t) }},
		// The server keeps whole seconds. The client rounds up twice, so that no entry expires early.
		Limits: conformance.Limits{Resolution: 2100 * time.Millisecond, MaxKey: 2048, MaxValue: servers.UwsgiBlockSize},
		Traits: map[conformance.Trait]string{
			conformance.ReadsBeforeDelete: "the server reports expired entries as deleted",
		},
		Unsupported: map[conformance.Feature]string{
			conformance.Counter:     "the protocol has no counters",
			conformance.Lease:       "the protocol has no compare-and-swap",
			conformance.Swap:        "the protocol has no compare-and-swap",
			conformance.PrefixClear: "the protocol cannot list keys",
			conformance.Scan:        "the protocol cannot list keys",
			conformance.Threshold:   "the server bounds the number of entries",
		},
	}
}

func TestUWSGI(t *testing.T) {
	busy(t)
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
		return newUwsgi(t, uwsgi.Options{Addr: spare.Addr, Cache: "first", FirstCache: true, AllowFlush: true})
	}
	h.Stores.ClearForbidden = func(t *testing.T) cache.Backend { return newUwsgi(t, uwsgi.Options{Addr: spare.Addr, Cache: "second"}) }
	h.Slow = true // each request has a connection of its own
	conformance.Run(t, h)
}

func TestUWSGISecondUnix(t *testing.T) {
	variant(t)
	server := servers.StartUwsgi(t, "")
	h := uwsgiAt("second@" + server.Socket)
	h.Name = "uwsgi-unix"
	h.Server, h.ServerVersion = "uwsgi", server.Version(t)
	h.Unsupported[conformance.Network] = "network faults are tested over TCP"
	h.Unsupported[conformance.FullClear] = "the server can clear only its first cache"
	h.Slow = true
	conformance.Run(t, h)
}

// Flask-Caching has another form for integers.
func TestUWSGIFlask(t *testing.T) {
	variant(t)
	server := servers.StartUwsgi(t, "")
	h := uwsgiWith("first@"+server.Addr, true)
	h.Name, h.Slow = "uwsgi-flask", true
	h.Server, h.ServerVersion = "uwsgi", server.Version(t)
	h.Unsupported[conformance.Network] = "TestUWSGI tests network faults"
	conformance.Run(t, h)
}
