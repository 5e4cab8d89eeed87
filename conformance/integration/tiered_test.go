package integration

import (
	"fmt"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance"
	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/filesystem"
	"github.com/cachebackends/cachebackends/memcached"
	"github.com/cachebackends/cachebackends/redis"
	"github.com/cachebackends/cachebackends/simple"
	"github.com/cachebackends/cachebackends/tiered"
)

// inFrontOf returns a tiered backend with simple in front of far.
func inFrontOf(t *testing.T, far driver.Backend, o tiered.Options) *tiered.Backend {
	t.Helper()
	near, err := simple.New(t.Context(), simple.Options{Threshold: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	b, err := tiered.New(near, far, o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const farEvicts = "what far has evicted may stay near for NearTTL"

// Two stores in memory, in a bubble: rules of time cost none.
func TestTiered(t *testing.T) {
	busy(t)
	conformance.Run(t, conformance.Harness{
		Name: "tiered-simple", NoReport: true, // what is supported depends on far
		New: func(t *testing.T) driver.Backend {
			far, err := simple.New(t.Context(), simple.Options{Threshold: simple.NoLimit})
			if err != nil {
				t.Fatal(err)
			}
			return inFrontOf(t, far, tiered.Options{NearTTL: time.Hour})
		},
		Bubble:      true,
		Unsupported: map[conformance.Feature]string{conformance.Threshold: farEvicts},
	})
}

// nearTTL is the bound of staleness where the store reports no changes.
const nearTTL = 100 * time.Millisecond

// A store that reports no changes: another handle is seen within NearTTL.
func TestTieredOverFilesystem(t *testing.T) {
	busy(t)
	dirs := t.TempDir()
	h := apart(conformance.Harness{
		Name: "tiered-filesystem", NoReport: true,
		Limits:      conformance.Limits{Staleness: nearTTL},
		Unsupported: map[conformance.Feature]string{conformance.Threshold: farEvicts, conformance.Network: "the store is a directory"},
	}, func(t *testing.T, n int) driver.Backend {
		far, err := filesystem.New(t.Context(), filesystem.Options{Dir: fmt.Sprintf("%s/%d", dirs, n), Threshold: filesystem.NoLimit})
		if err != nil {
			t.Fatal(err)
		}
		return inFrontOf(t, far, tiered.Options{NearTTL: nearTTL, NoWatch: true})
	})
	h.Slow = true // TestTiered and TestFilesystem repeat what is random more often
	conformance.Run(t, h)
}

// Redis that reports changes, opened from nested settings, with faults.
func TestTieredOverRedis(t *testing.T) {
	busy(t)
	server := servers.StartRedis(t, "--databases 10000")
	addr := server.Addrs[0]
	h := apart(redisOver(nil), func(t *testing.T, n int) driver.Backend { return tieredRedis(t, addr, n, nil) })
	h.Name, h.NoReport = "tiered-redis", true
	h.Server, h.ServerVersion = "redis", server.Version(t)
	h.Stores.Reopen = nil
	h.Unsupported[conformance.Persistence] = "TestTieredOverRedisWithoutNotices has two handles; the delay of a notice has no bound that a rule could wait for"
	h.Faults = &conformance.Faults{
		Addr: addr,
		New: func(t *testing.T, addr string) (driver.Backend, error) {
			far, err := redis.New(t.Context(), redis.Options{Addr: addr, ReadTimeout: time.Second})
			if err != nil {
				return nil, err
			}
			return inFrontOf(t, far, tiered.Options{OnLost: func(error) {}}), nil
		},
		CancelBound: time.Second,
	}
	conformance.Run(t, h)
}

// Redis without notices: another handle is seen within NearTTL.
func TestTieredOverRedisWithoutNotices(t *testing.T) {
	busy(t)
	server := servers.StartRedis(t, "--databases 10000")
	h := apart(redisOver(nil), func(t *testing.T, n int) driver.Backend {
		return tieredRedis(t, server.Addrs[0], n, map[string]any{"near_ttl": nearTTL, "no_watch": true})
	})
	h.Name, h.NoReport = "tiered-redis-without-notices", true
	h.Server, h.ServerVersion = "redis", server.Version(t)
	h.Limits.Staleness = nearTTL
	h.Unsupported[conformance.Network] = "TestTieredOverRedis injects faults"
	h.Slow = true // TestTieredOverRedis repeats what is random more often
	conformance.Run(t, h)
}

// Redis whose writers publish their changes, for a user who may not use CLIENT TRACKING.
func TestTieredOverRedisWithPublications(t *testing.T) {
	variant(t)
	server := servers.StartRedis(t, "")
	withoutTracking(t, server)
	cli(t, server, 0, "acl setuser app allchannels") // keys of the suite have other prefixes
	of := func(database int) map[string]any {
		return map[string]any{
			"CACHE_TYPE": "redis", "CACHE_REDIS_URL": fmt.Sprintf("redis://app:secret@%s/%d", server.Addrs[0], database),
			"CACHE_OPTIONS": map[string]any{"publish_changes": true},
		}
	}
	h := withNotices(t, "tiered-redis-publications", server, of(0), of(1))
	byTime := map[string]any{"near_ttl": "1h"}
	h.New = over(tieredSettings(of(0), byTime)).New
	h.Stores.ClearAllowed = over(tieredSettings(withFlush(of(1)), byTime)).New
	conformance.Run(t, h)
}

// Redis itself passes the suite when its writers publish their changes.
func TestRedisWithPublications(t *testing.T) {
	variant(t)
	server := servers.StartRedis(t, "--databases 10000")
	h := apart(redisOver(nil), func(t *testing.T, n int) cache.Backend {
		url := fmt.Sprintf("redis://%s/%d", server.Addrs[0], n)
		return over(map[string]any{"CACHE_TYPE": "redis", "CACHE_REDIS_URL": url, "CACHE_ALLOW_FLUSH": true, "CACHE_OPTIONS": map[string]any{"publish_changes": true}}).New(t)
	})
	h.Name, h.NoReport, h.Slow = "redis-publications", true, true
	h.Server, h.ServerVersion = "redis", server.Version(t)
	h.Unsupported[conformance.Network] = onlyOneServer
	conformance.Run(t, h)
}

// tieredRedis opens simple in front of a database of a redis.
func tieredRedis(t *testing.T, addr string, database int, options map[string]any) driver.Backend {
	t.Helper()
	far := map[string]any{"CACHE_TYPE": "redis", "CACHE_REDIS_URL": fmt.Sprintf("redis://%s/%d", addr, database), "CACHE_ALLOW_FLUSH": true}
	return over(tieredSettings(far, options)).New(t)
}

// memcached reports no changes, and returns values with their remaining TTL.
func TestTieredOverMemcached(t *testing.T) {
	busy(t)
	server := servers.StartMemcached(t, 2, "-m 256")
	addr, spare := server.Addrs[0], server.Addrs[1]
	of := func(addr string) map[string]any {
		far := map[string]any{"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVERS": addr, "CACHE_ALLOW_FLUSH": addr == spare}
		return tieredSettings(far, map[string]any{"near_ttl": nearTTL})
	}
	h := memcachedOver(of(addr))
	h.Stores.ClearAllowed = over(of(spare)).New
	h.Name, h.NoReport = "tiered-memcached", true
	h.Server, h.ServerVersion = "memcached", server.Version(t)
	h.Limits.Staleness = nearTTL
	h.Faults = &conformance.Faults{
		Addr: addr,
		New: func(t *testing.T, addr string) (cache.Backend, error) {
			far, err := memcached.New(t.Context(), memcached.Options{Servers: []string{addr}, ReadTimeout: time.Second})
			if err != nil {
				return nil, err
			}
			return inFrontOf(t, far, tiered.Options{NearTTL: nearTTL}), nil
		},
	}
	h.Slow = true // TestTiered and TestMemcached repeat what is random more often
	conformance.Run(t, h)
}
