package integration

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance"
	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	"github.com/cachebackends/cachebackends/conformance/proxy"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/guard"
	"github.com/cachebackends/cachebackends/memcached"
	"github.com/cachebackends/cachebackends/redis"
	"github.com/cachebackends/cachebackends/simple"
)

// guarded returns a guard around b with a short pause, so that the rules about outages
// take little time.
func guarded(t *testing.T, b driver.Backend) driver.Backend {
	g, err := guard.New(b, guard.Options{Budget: 2 * time.Second, Pause: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestGuardOverSimple(t *testing.T) {
	busy(t)
	open := func(t *testing.T, threshold int) driver.Backend {
		b, err := simple.New(t.Context(), simple.Options{Threshold: threshold})
		if err != nil {
			t.Fatal(err)
		}
		return guarded(t, b)
	}
	conformance.Run(t, conformance.Harness{
		Name:     "guard-simple",
		NoReport: true,
		New:      func(t *testing.T) driver.Backend { return open(t, simple.NoLimit) },
		Bubble:   true,
		Stores:   conformance.Stores{Bounded: open},
	})
}

func TestGuardOverRedis(t *testing.T) {
	busy(t)
	server := servers.StartRedis(t, "--databases 10000")
	addr := server.Addrs[0]
	h := apart(redisOver(nil), func(t *testing.T, n int) cache.Backend {
		return over(map[string]any{
			"CACHE_TYPE": "guard", "CACHE_OPTIONS": map[string]any{"pause": "1ms", "budget": slowMachine, "inner": patient(map[string]any{
				"CACHE_TYPE": "redis", "CACHE_REDIS_URL": fmt.Sprintf("redis://%s/%d", addr, n), "CACHE_ALLOW_FLUSH": true,
			})},
		}).New(t)
	})
	h.Name, h.NoReport = "guard-redis", true
	h.Server, h.ServerVersion = "redis", server.Version(t)
	h.Faults = &conformance.Faults{
		Addr: addr,
		New: func(t *testing.T, addr string) (driver.Backend, error) {
			b, err := redis.New(t.Context(), redis.Options{Addr: addr, ReadTimeout: time.Second})
			if err != nil {
				return nil, err
			}
			return guarded(t, b), nil
		},
		Recovery: 10 * time.Second, // the pause is short, but the machine may be busy
	}
	h.Slow = true // TestGuardOverSimple and TestRedis repeat what is random more often
	conformance.Run(t, h)
}

// One memcached server of three hangs: calls for its keys fail at once after the breaker
// has opened, and calls for other keys go on.
func TestGuardMemcachedServerHangs(t *testing.T) {
	timed(t)
	server := servers.StartMemcached(t, 3, "")
	hanging, err := proxy.New(server.Addrs[1])
	if err != nil {
		t.Fatal(err)
	}
	defer hanging.Close()
	inner, err := memcached.New(t.Context(), memcached.Options{Servers: []string{server.Addrs[0], hanging.Addr(), server.Addrs[2]}})
	if err != nil {
		t.Fatal(err)
	}
	o := guard.Options{Budget: time.Second, Faults: 3, Pause: time.Hour}
	b, err := guard.New(inner, o)
	if err != nil {
		t.Fatal(err)
	}
	c := cache.New(b)
	defer c.Close()
	keys, items := numbered(60)
	healthy(t, "SetMany", func() error { return c.SetMany(t.Context(), items) })
	var lost, others []string
	for _, key := range keys {
		if inner.Place(key) == hanging.Addr() {
			lost = append(lost, key)
		} else {
			others = append(others, key)
		}
	}
	if len(lost) <= o.Faults || len(others) <= o.Faults {
		t.Fatalf("%d of %d keys are on one server of three", len(lost), len(keys))
	}
	if err := hanging.Set(proxy.Blackhole); err != nil {
		t.Fatal(err)
	}
	for _, key := range lost[:o.Faults] {
		if _, _, err := c.Get(t.Context(), key); !errors.Is(err, cache.ErrUnavailable) {
			t.Errorf("Get of a server that hangs: %v", err)
		}
	}
	dials, requests, _, _ := hanging.Counts()
	for _, key := range lost {
		loaded, err := cache.Of[string](c).GetOrSet(t.Context(), key, func(context.Context) (string, error) { return "loaded", nil })
		if loaded != "loaded" || err != nil {
			t.Errorf("GetOrSet = %q, %v", loaded, err)
		}
	}
	for _, key := range others {
		healthy(t, "Get of another server", func() error { return getsItsValue(t, c, key) })
	}
	healthy(t, "GetMany", func() error {
		results, err := c.GetMany(t.Context(), keys...)
		return checkPart(t, keys, results, err, lost)
	})
	if d, r, _, _ := hanging.Counts(); d != dials || r != requests {
		t.Errorf("%d connections and %d requests went to the server whose breaker is open", d-dials, r-requests)
	}
}

// One node of a redis cluster hangs: calls for its slots fail at once after its breaker has
// opened, and calls for the other slots go on.
func TestGuardRedisClusterNodeHangs(t *testing.T) {
	timed(t)
	cluster := servers.StartRedisCluster(t, 0)
	inner, err := redis.New(t.Context(), redis.Options{Cluster: cluster.Addrs, ReadTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	o := guard.Options{Budget: 2 * time.Second, Faults: 2, Pause: time.Hour}
	b, err := guard.New(inner, o)
	c := opened(t, b, err)
	keys, items := numbered(60)
	if place := inner.Place(keys[0]); place != "" {
		t.Errorf("before the first reply, the place is %q", place)
	}
	healthy(t, "SetMany", func() error { return c.SetMany(t.Context(), items) })
	byPlace := map[string][]string{}
	for _, key := range keys {
		byPlace[inner.Place(key)] = append(byPlace[inner.Place(key)], key)
	}
	if got := slices.Sorted(maps.Keys(byPlace)); !slices.Equal(got, slices.Sorted(slices.Values(cluster.Addrs))) {
		t.Fatalf("the keys are at %q; want %q", got, cluster.Addrs)
	}
	lost := byPlace[cluster.Addrs[1]]
	cluster.Pause(t, 1)
	defer cluster.Resume(t, 1)
	for i, key := range lost {
		_, _, err := c.Get(t.Context(), key)
		if open := err != nil && strings.Contains(err.Error(), "circuit breaker is open"); !errors.Is(err, cache.ErrUnavailable) || open != (i >= o.Faults) {
			t.Errorf("Get %d of the node that hangs: %v", i, err)
		}
	}
	for place, keys := range byPlace {
		if place == cluster.Addrs[1] {
			continue
		}
		for _, key := range keys {
			healthy(t, "Get of another node", func() error { return getsItsValue(t, c, key) })
		}
	}
	healthy(t, "GetMany", func() error {
		results, err := c.GetMany(t.Context(), keys...)
		return checkPart(t, keys, results, err, lost)
	})
}

// healthy makes a call that no fault concerns. It is repeated if it fails: on a busy machine
// one call may take longer than the budget, but not so many that the breaker opens.
func healthy(t *testing.T, what string, call func() error) {
	t.Helper()
	var err error
	for range 3 {
		if err = call(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}

// getsItsValue returns an error if key does not have the value of numbered.
func getsItsValue(t *testing.T, c *cache.Cache, key string) error {
	value, ok, err := c.Get(t.Context(), key)
	if err == nil && (!ok || string(value) != "value of "+key) {
		err = fmt.Errorf("%q, %v", value, ok)
	}
	return err
}
