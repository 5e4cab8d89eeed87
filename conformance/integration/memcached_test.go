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

// itemValue is the largest value that one item of 1 MiB holds, and spreadValue
// what one holds that is spread over 17: enough for all cases, and no more, for
// the server keeps each of them until it needs the room.
const (
	itemValue    = 1<<20 - 512
	spreadChunks = 17
	spreadValue  = spreadChunks * itemValue
)

// memcachedOver is the harness of a memcached that settings describe.
func memcachedOver(settings map[string]any) conformance.Harness {
	h := over(settings)
	// A begun second is rounded up, two are added for a clock that ticks late, and
	// one more passes until the server sees it.
	h.Limits.Resolution = 4*time.Second + 100*time.Millisecond
	h.Limits.MaxKey, h.Limits.MaxValue = 250, itemValue
	h.Limits.RefusedKeys = []string{"a b", "a\tb", "a\r\nb", "\x00", "a\x7f"}
	h.Unsupported = map[conformance.Feature]string{
		conformance.Threshold: "the server's memory bounds it (-m)",
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
	if named := os.Getenv("CACHE_TEST_MEMCACHED_SERVERS"); named != "" {
		h := memcachedOver(map[string]any{"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVERS": named})
		h.Unsupported[conformance.Network] = "the servers of CACHE_TEST_MEMCACHED_SERVERS are not for breaking"
		conformance.Run(t, h)
		return
	}
	server := servers.StartMemcached(t, 2, "-m 256")
	addr, spare := server.Addrs[0], server.Addrs[1]
	h := memcachedOver(map[string]any{"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVERS": addr})
	h = emptied(h, map[string]any{"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVERS": spare})
	h.Server, h.ServerVersion = "memcached", server.Version(t)
	h.Stores.ClearForbidden = over(map[string]any{"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVERS": spare}).New
	h.Stores.Full = func(t *testing.T) cache.Backend {
		small := servers.StartMemcached(t, 1, "-M -m 8")
		return openMemcached(t, memcached.Options{Servers: small.Addrs}).Backend()
	}
	conformance.Run(t, overOneServer(h, addr, memcached.Options{}))
}

const onlyOneMemcached = "faults of the wire are tested with one server; what happens to several is in memcached_failover_test.go"

func TestMemcachedThreeServers(t *testing.T) {
	t.Parallel()
	three := servers.StartMemcached(t, 3, "-m 256")
	h := memcachedOver(map[string]any{"CACHE_TYPE": "MemcachedCache", "CACHE_MEMCACHED_SERVERS": strings.Join(three.Addrs, ",")})
	h.Server, h.ServerVersion = "memcached", three.Version(t)
	h.Name = "memcached-three"
	h.Stores.PartialOutage = func(t *testing.T) (cache.Backend, func()) {
		others := servers.StartMemcached(t, 3, "")
		return openMemcached(t, memcached.Options{Servers: others.Addrs}).Backend(), func() { others.Kill(t, 1) }
	}
	h.Unsupported[conformance.Network] = onlyOneMemcached
	conformance.Run(t, h)
}

func TestMemcachedTextAuth(t *testing.T) {
	t.Parallel()
	server := servers.StartMemcachedText(t, "app", "hunter2")
	addr := server.Addrs[0]
	settings := func(password string) map[string]any {
		return map[string]any{
			"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVERS": addr,
			"CACHE_MEMCACHED_USERNAME": "app", "CACHE_MEMCACHED_PASSWORD": password,
		}
	}
	h := memcachedOver(settings("hunter2"))
	h.Stores.Unauthorized = over(settings("wrong")).New
	h.Name, h.Secrets = "memcached-text-auth", []string{"hunter2"}
	h.Unsupported[conformance.Network] = "it is the wire of TestMemcached after the login"
	h.Server, h.ServerVersion = "memcached", server.Version(t)
	conformance.Run(t, h)
}

// overBinary gives h what the protocol of a server with -S lacks.
func overBinary(h conformance.Harness) conformance.Harness {
	h.Unsupported[conformance.PrefixClear] = "only the text protocol lists keys (lru_crawler metadump), and a server with -S does not speak it"
	h.Unsupported[conformance.TTL] = "only the text protocol tells how long an entry lives (mg), and a server with -S does not speak it"
	h.Limits.CounterMin = new(int64(0)) // to go below is to replace the entry, whose remaining life nobody knows
	return h
}

func TestMemcachedSASL(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
	certificate := servers.NewCertificate(t)
	server := servers.StartMemcachedTLS(t, certificate)
	addr := server.Addrs[0]
	h := memcachedOver(map[string]any{
		"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVERS": addr, "CACHE_MEMCACHED_TLS_CA": caFile(t, certificate),
	})
	h.Name = "memcached-tls"
	h.Unsupported[conformance.Network] = "it is the wire of TestMemcached inside of TLS"
	h.Server, h.ServerVersion = "memcached", server.Version(t)
	conformance.Run(t, h)
}

// overSpread gives h the limits of values that are spread over several items.
func overSpread(h conformance.Harness, name string) conformance.Harness {
	h.Name = name
	h.Limits.MaxKey, h.Limits.MaxValue = 222, spreadValue
	return h
}

var spreadOptions = map[string]any{"spread": true, "max_chunks": spreadChunks}

func TestMemcachedSpread(t *testing.T) {
	t.Parallel()
	server := servers.StartMemcached(t, 2, "-m 1024")
	addr, spare := server.Addrs[0], server.Addrs[1]
	settings := map[string]any{"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVERS": addr, "CACHE_OPTIONS": spreadOptions}
	h := overSpread(memcachedOver(settings), "memcached-spread")
	h = emptied(h, map[string]any{"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVERS": spare, "CACHE_OPTIONS": spreadOptions})
	h.Server, h.ServerVersion = "memcached", server.Version(t)
	conformance.Run(t, overOneServer(h, addr, memcached.Options{Spread: true}))
}

func TestMemcachedSpreadSASL(t *testing.T) {
	t.Parallel()
	server := servers.StartMemcachedSASL(t, "app", "hunter2", "-m 1024")
	addr := server.Addrs[0]
	h := overSpread(overBinary(memcachedOver(map[string]any{
		"CACHE_TYPE": "SpreadSASLMemcachedCache", "CACHE_MEMCACHED_SERVERS": addr,
		"CACHE_MEMCACHED_USERNAME": "app", "CACHE_MEMCACHED_PASSWORD": "hunter2", "CACHE_OPTIONS": spreadOptions,
	})), "memcached-spread-sasl")
	h.Secrets = []string{"hunter2"}
	h.Unsupported[conformance.Network] = "it is the wire of TestMemcachedSASL under what TestMemcachedSpread does"
	h.Server, h.ServerVersion = "memcached", server.Version(t)
	conformance.Run(t, h)
}

// Whoever brings a client of gomemcache keeps the contract, but for what it has
// no command for.
func TestMemcachedBorrowed(t *testing.T) {
	t.Parallel()
	four := servers.StartMemcached(t, 4, "-m 256")
	client, spare := memcache.New(four.Addrs[:2]...), memcache.New(four.Addrs[2:]...)
	t.Cleanup(func() { client.Close(); spare.Close() })
	h := memcachedOver(map[string]any{"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVERS": client})
	h = emptied(h, map[string]any{"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVERS": spare})
	h.Name = "memcached-borrowed"
	h.Server, h.ServerVersion = "memcached", four.Version(t)
	h.Unsupported[conformance.PrefixClear] = "gomemcache does not list keys"
	h.Unsupported[conformance.TTL] = "gomemcache does not tell how long an entry lives"
	h.Unsupported[conformance.Network] = "deadlines and retries are those of the client"
	h.Limits.CounterMin = new(int64(0))
	conformance.Run(t, h)
}
