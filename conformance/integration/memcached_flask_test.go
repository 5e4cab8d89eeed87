package integration

import (
	"strings"
	"testing"

	"github.com/cachebackends/cachebackends/conformance"
	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	_ "github.com/cachebackends/cachebackends/flask"
)

const noFlaskLease = "Flask would read the placeholder of a lease as a value"

// The layout of Flask-Caching keeps every rule but leases.
func TestMemcachedFlask(t *testing.T) {
	variant(t)
	server := servers.StartMemcached(t, 6, "-m 256")
	settings := func(addrs []string) map[string]any {
		return map[string]any{"CACHE_TYPE": "MemcachedCache", "CACHE_MEMCACHED_SERVERS": strings.Join(addrs, ","), "CACHE_FLASK": true}
	}
	h := emptied(memcachedOver(settings(server.Addrs[:3])), settings(server.Addrs[3:]))
	h.Name = "memcached-flask"
	h.Server, h.ServerVersion = "memcached", server.Version(t)
	h.Unsupported[conformance.Lease] = noFlaskLease
	h.Unsupported[conformance.Network] = onlyOneMemcached
	h.Slow = true
	conformance.Run(t, h)
}

func TestMemcachedFlaskSASL(t *testing.T) {
	variant(t)
	server, spare := servers.StartMemcachedSASL(t, "app", "hunter2", "-m 256"), servers.StartMemcachedSASL(t, "app", "hunter2", "-m 256")
	settings := func(server *servers.Memcached) map[string]any {
		return map[string]any{
			"CACHE_TYPE": "SASLMemcachedCache", "CACHE_MEMCACHED_SERVERS": server.Addrs[0], "CACHE_FLASK": true,
			"CACHE_MEMCACHED_USERNAME": "app", "CACHE_MEMCACHED_PASSWORD": "hunter2",
		}
	}
	h := emptied(overBinary(memcachedOver(settings(server))), settings(spare))
	h.Name, h.Secrets = "memcached-flask-sasl", []string{"hunter2"}
	h.Server, h.ServerVersion = "memcached", server.Version(t)
	h.Unsupported[conformance.Network] = "TestMemcachedSASL covers the protocol"
	h.Slow = true
	conformance.Run(t, h)
}

// The pieces of SpreadSASLMemcachedCache, with the text and with the binary protocol.
func TestMemcachedFlaskSpread(t *testing.T) {
	variant(t)
	server := servers.StartMemcached(t, 2, "-m 1024")
	settings := func(addr string) map[string]any {
		return map[string]any{"CACHE_TYPE": "SpreadSASLMemcachedCache", "CACHE_MEMCACHED_SERVERS": addr, "CACHE_FLASK": true, "CACHE_OPTIONS": spreadOptions}
	}
	h := emptied(overPieces(memcachedOver(settings(server.Addrs[0]))), settings(server.Addrs[1]))
	h.Name = "memcached-flask-spread"
	h.Unsupported[conformance.Lease] = noFlaskLease
	h.Server, h.ServerVersion = "memcached", server.Version(t)
	h.Slow = true
	conformance.Run(t, h)
}

func TestMemcachedFlaskSpreadSASL(t *testing.T) {
	variant(t)
	server, spare := servers.StartMemcachedSASL(t, "app", "hunter2", "-m 1024"), servers.StartMemcachedSASL(t, "app", "hunter2", "-m 1024")
	settings := func(server *servers.Memcached) map[string]any {
		return map[string]any{
			"CACHE_TYPE": "SpreadSASLMemcachedCache", "CACHE_MEMCACHED_SERVERS": server.Addrs[0], "CACHE_FLASK": true,
			"CACHE_MEMCACHED_USERNAME": "app", "CACHE_MEMCACHED_PASSWORD": "hunter2", "CACHE_OPTIONS": spreadOptions,
		}
	}
	h := emptied(overPieces(overBinary(memcachedOver(settings(server)))), settings(spare))
	h.Name, h.Secrets = "memcached-flask-spread-sasl", []string{"hunter2"}
	h.Server, h.ServerVersion = "memcached", server.Version(t)
	h.Slow = true
	conformance.Run(t, h)
}

// overPieces gives h the limits of Flask's pieces.
func overPieces(h conformance.Harness) conformance.Harness {
	h.Limits.MaxKey, h.Limits.MaxValue = 247, spreadValue
	h.Unsupported[conformance.Network] = "TestMemcached and TestMemcachedSASL cover the protocols"
	return h
}
