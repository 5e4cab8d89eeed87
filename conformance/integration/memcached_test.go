package integration

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/cachebackends/cachebackends/conformance"
	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/memcached"
)

// itemValue is the largest value of one item of 1 MiB, and spreadValue that of 17 chunks,
// which is enough for all cases. The server keeps chunks until it needs their memory.
const (
	itemValue    = 1<<20 - 512
	spreadChunks = 17
	spreadValue  = spreadChunks * itemValue
)

// memcachedOver returns the harness of a memcached that settings describe.
func memcachedOver(settings map[string]any) conformance.Harness {
	h := over(settings)
	// The TTL is rounded up to seconds, two are added because the server's clock ticks
	// late, and the server expires the entry at its next tick.
	h.Limits.Resolution = 4*time.Second + 100*time.Millisecond
	h.Limits.MaxKey, h.Limits.MaxValue = 250, itemValue
	h.Limits.RefusedKeys = []string{"a b", "a\tb", "a\r\nb", "\x00", "a\x7f"}
	h.Unsupported = map[conformance.Feature]string{
		conformance.Threshold: "the server evicts entries when its memory (-m) is full",
	}
	return h
}

// overOneServer injects faults between the backend and the server at addr.
func overOneServer(h conformance.Harness, addr string, o memcached.Options) conformance.Harness {
	o.ReadTimeout = time.Second
	h.Faults = &conformance.Faults{
		Addr: addr,
		New: func(t *testing.T, addr string) (cache.Backend, error) {
			o.Servers = []string{addr}
			return memcached.New(t.Context(), o)
		},
	}
	return h
}

func TestMemcached(t *testing.T) {
	busy(t)
	if named := os.Getenv("CACHE_TEST_MEMCACHED_SERVERS"); named != "" {
		h := memcachedOver(map[string]any{"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVERS": named})
		h.Unsupported[conformance.Network] = "no faults are injected into the servers of CACHE_TEST_MEMCACHED_SERVERS"
		conformance.Run(t, h)
		return
	}
	server := servers.StartMemcached(t, 2, "-m 256")
	addr, spare := server.Addrs[0], server.Addrs[1]
	h := memcachedOver(map[string]any{"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVERS": addr})
	h = emptied(h, map[string]any{"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVERS": spare})
	h.Server, h.ServerVersion = "memcached", server.Version(t)
	h.Stores.ClearForbidden = over(map[string]any{"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVERS": spare}).New
	small := servers.StartMemcached(t, 1, "-M -m 8")
	h.Stores.Full = func(t *testing.T) cache.Backend {
		return openMemcached(t, memcached.Options{Servers: small.Addrs}).Backend()
	}
	h.Slow = brief()
	conformance.Run(t, overOneServer(h, addr, memcached.Options{}))
}

const onlyOneMemcached = "TestMemcached injects faults with one server, memcached_failover_test.go with several"

func TestMemcachedThreeServers(t *testing.T) {
	variant(t)
	three := servers.StartMemcached(t, 6, "-m 256")
	settings := func(addrs []string) map[string]any {
		return map[string]any{"CACHE_TYPE": "MemcachedCache", "CACHE_MEMCACHED_SERVERS": strings.Join(addrs, ",")}
	}
	h := emptied(memcachedOver(settings(three.Addrs[:3])), settings(three.Addrs[3:]))
	h.Server, h.ServerVersion = "memcached", three.Version(t)
	h.Name = "memcached-three"
	others := servers.StartMemcached(t, 3, "")
	h.Stores.PartialOutage = func(t *testing.T) (cache.Backend, func()) {
		return openMemcached(t, memcached.Options{Servers: others.Addrs}).Backend(), func() { others.Kill(t, 1) }
	}
	h.Unsupported[conformance.Network] = onlyOneMemcached
	h.Slow = true
	conformance.Run(t, h)
}

func TestMemcachedTextAuth(t *testing.T) {
	variant(t)
	server, spare := servers.StartMemcachedText(t, "app", "hunter2"), servers.StartMemcachedText(t, "app", "hunter2")
	settings := func(server *servers.Memcached, password string) map[string]any {
		return map[string]any{
			"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVERS": server.Addrs[0],
			"CACHE_MEMCACHED_USERNAME": "app", "CACHE_MEMCACHED_PASSWORD": password,
		}
	}
	h := emptied(memcachedOver(settings(server, "hunter2")), settings(spare, "hunter2"))
	h.Stores.Unauthorized = over(settings(server, "wrong")).New
	h.Name, h.Secrets = "memcached-text-auth", []string{"hunter2"}
	h.Unsupported[conformance.Network] = "TestMemcached covers the protocol after the login"
	h.Server, h.ServerVersion = "memcached", server.Version(t)
	h.Slow = true
	conformance.Run(t, h)
}

// overBinary declares what the binary protocol does not support.
func overBinary(h conformance.Harness) conformance.Harness {
	h.Unsupported[conformance.PrefixClear] = "only the text protocol lists keys (lru_crawler metadump), and a server with -S does not support it"
	h.Unsupported[conformance.Scan] = h.Unsupported[conformance.PrefixClear]
	h.Unsupported[conformance.TTL] = "only the text protocol returns the remaining TTL (mg), and a server with -S does not support it"
	h.Unsupported[conformance.Lease] = "a lease requires meta commands of the text protocol, and a server with -S does not support it"
	h.Limits.CounterMin = new(int64(0)) // below it the entry is replaced, which requires the remaining TTL
	return h
}

func TestMemcachedSASL(t *testing.T) {
	busy(t)
	server := servers.StartMemcachedSASL(t, "app", "hunter2", "-m 256")
	addr := server.Addrs[0]
	spare := servers.StartMemcachedSASL(t, "app", "hunter2", "-m 256")
	settings := func(addr, password string) map[string]any {
		return map[string]any{
			"CACHE_TYPE": "SASLMemcachedCache", "CACHE_MEMCACHED_SERVERS": addr,
			"CACHE_MEMCACHED_USERNAME": "app", "CACHE_MEMCACHED_PASSWORD": password,
		}
	}
	h := emptied(overBinary(memcachedOver(settings(addr, "hunter2"))), settings(spare.Addrs[0], "hunter2"))
	h.Stores.Unauthorized = over(settings(addr, "wrong")).New
	h.Name, h.Secrets = "memcached-sasl", []string{"hunter2"}
	h.Server, h.ServerVersion = "memcached", server.Version(t)
	conformance.Run(t, overOneServer(h, addr, memcached.Options{Protocol: memcached.Binary, Username: "app", Password: cache.Secret("hunter2")}))
}

func TestMemcachedTLS(t *testing.T) {
	variant(t)
	certificate := servers.NewCertificate(t)
	server, spare, authority := servers.StartMemcachedTLS(t, certificate), servers.StartMemcachedTLS(t, certificate), caFile(t, certificate)
	settings := func(server *servers.Memcached) map[string]any {
		return map[string]any{"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVERS": server.Addrs[0], "CACHE_MEMCACHED_TLS_CA": authority}
	}
	h := emptied(memcachedOver(settings(server)), settings(spare))
	h.Name = "memcached-tls"
	h.Unsupported[conformance.Network] = "TestMemcached covers the protocol inside TLS"
	h.Server, h.ServerVersion = "memcached", server.Version(t)
	h.Slow = true
	conformance.Run(t, h)
}

// overSpread gives h the limits of values that are stored in chunks.
func overSpread(h conformance.Harness, name string) conformance.Harness {
	h.Name = name
	h.Limits.MaxKey, h.Limits.MaxValue = 222, spreadValue
	return h
}

var spreadOptions = map[string]any{"spread": true, "max_chunks": spreadChunks}

func TestMemcachedSpread(t *testing.T) {
	busy(t)
	server := servers.StartMemcached(t, 2, "-m 1024")
	addr, spare := server.Addrs[0], server.Addrs[1]
	settings := map[string]any{"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVERS": addr, "CACHE_OPTIONS": spreadOptions}
	h := overSpread(memcachedOver(settings), "memcached-spread")
	h = emptied(h, map[string]any{"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVERS": spare, "CACHE_OPTIONS": spreadOptions})
	h.Server, h.ServerVersion = "memcached", server.Version(t)
	conformance.Run(t, overOneServer(h, addr, memcached.Options{Spread: true}))
}

func TestMemcachedSpreadSASL(t *testing.T) {
	variant(t)
	server, spare := servers.StartMemcachedSASL(t, "app", "hunter2", "-m 1024"), servers.StartMemcachedSASL(t, "app", "hunter2", "-m 1024")
	settings := func(server *servers.Memcached) map[string]any {
		return map[string]any{
			"CACHE_TYPE": "SpreadSASLMemcachedCache", "CACHE_MEMCACHED_SERVERS": server.Addrs[0],
			"CACHE_MEMCACHED_USERNAME": "app", "CACHE_MEMCACHED_PASSWORD": "hunter2", "CACHE_OPTIONS": spreadOptions,
		}
	}
	h := overSpread(overBinary(memcachedOver(settings(server))), "memcached-spread-sasl")
	h = emptied(h, settings(spare))
	h.Secrets = []string{"hunter2"}
	h.Unsupported[conformance.Network] = "TestMemcachedSASL covers the protocol, TestMemcachedSpread the chunks"
	h.Server, h.ServerVersion = "memcached", server.Version(t)
	h.Slow = true
	conformance.Run(t, h)
}

// A gomemcache client passes all rules except those of operations that it lacks.
func TestMemcachedBorrowed(t *testing.T) {
	variant(t)
	four := servers.StartMemcached(t, 4, "-m 256")
	client, spare := memcache.New(four.Addrs[:2]...), memcache.New(four.Addrs[2:]...)
	t.Cleanup(func() { client.Close(); spare.Close() })
	client.Timeout, spare.Timeout = 10*time.Second, 10*time.Second // gomemcache's 500 ms are short on a busy machine
	h := memcachedOver(map[string]any{"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVERS": client})
	h = emptied(h, map[string]any{"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVERS": spare})
	h.Name = "memcached-borrowed"
	h.Server, h.ServerVersion = "memcached", four.Version(t)
	h.Unsupported[conformance.PrefixClear] = "gomemcache cannot list keys"
	h.Unsupported[conformance.Scan] = h.Unsupported[conformance.PrefixClear]
	h.Unsupported[conformance.TTL] = "gomemcache does not return the remaining TTL"
	h.Unsupported[conformance.Lease] = "a lease requires meta commands, which gomemcache does not send"
	h.Unsupported[conformance.Network] = "deadlines and retries are those of gomemcache"
	h.Limits.CounterMin = new(int64(0))
	h.Slow = true
	conformance.Run(t, h)
}
