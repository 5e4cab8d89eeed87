package integration

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/redis"
)

// scanTopologies are the servers of a scan. interrupt makes a list incomplete.
var scanTopologies = map[string]func(t *testing.T) (o redis.Options, interrupt func(t *testing.T)){
	"one server": func(t *testing.T) (redis.Options, func(t *testing.T)) {
		server := servers.StartRedis(t, "")
		return redis.Options{Addr: server.Addrs[0]}, func(t *testing.T) {
			if _, err := server.Cli(t.Context(), 0, "replicaof 127.0.0.1 1"); err != nil {
				t.Fatal(err)
			}
		}
	},
	"killed primary of sentinels": func(t *testing.T) (redis.Options, func(t *testing.T)) {
		sentinel := servers.StartRedisSentinel(t, "hunter2", "sesame")
		o := redis.Options{Sentinels: sentinel.Addrs, Password: cache.Secret("hunter2"), SentinelPassword: cache.Secret("sesame")}
		return o, func(t *testing.T) {
			sentinel.KillPrimary(t)
			sentinel.AwaitPromotion(t, 1)
		}
	},
	"killed primary of a cluster": func(t *testing.T) (redis.Options, func(t *testing.T)) {
		cluster := servers.StartRedisCluster(t, 1)
		return redis.Options{Cluster: cluster.Addrs}, func(t *testing.T) {
			cluster.KillPrimary(t)
			cluster.AwaitPromotion(t, 3)
		}
	},
	"slots that move": func(t *testing.T) (redis.Options, func(t *testing.T)) {
		cluster := servers.StartRedisCluster(t, 0)
		return redis.Options{Cluster: cluster.Addrs}, func(t *testing.T) { cluster.Reshard(t, 100) }
	},
}

// A scan lists every entry once. If a part of the entries moves to another server
// meanwhile, it ends with an error.
func TestRedisScan(t *testing.T) {
	t.Parallel()
	for name, start := range scanTopologies {
		t.Run(name, func(t *testing.T) {
			busy(t)
			o, interrupt := start(t)
			o.ReadTimeout = 10 * time.Second
			c := openRedis(t, o)
			want := map[string][]byte{}
			for i := range 10_000 { // several pages of each server
				want[fmt.Sprintf("a*%d", i)] = []byte("value")
			}
			if err := c.SetMany(t.Context(), want, cache.Timeout(time.Hour)); err != nil {
				t.Fatal(err)
			}
			for _, key := range []string{"ab", "b*1"} {
				if err := c.Set(t.Context(), key, nil); err != nil {
					t.Fatal(err)
				}
			}
			if _, _, _, err := c.Backend().(driver.Leaser).Lease(t.Context(), "a*leased", time.Minute); err != nil {
				t.Fatal(err)
			}
			found := map[string]bool{}
			for entry, err := range c.Scan(t.Context(), "a*") {
				if err != nil {
					t.Fatal(err)
				}
				if found[entry.Key] {
					t.Errorf("%s twice", entry.Key)
				}
				found[entry.Key] = true
				if entry.Size != 5 || entry.TTL <= 50*time.Minute || entry.TTL > time.Hour {
					t.Errorf("got %+v; want a size of 5 and a TTL of an hour", entry)
				}
			}
			if got := slices.Sorted(maps.Keys(found)); !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
				t.Errorf("got %d entries; want %d", len(got), len(want))
			}
			var last error
			n := 0
			for _, err := range c.Scan(t.Context(), "") {
				if last = err; n == 0 {
					interrupt(t)
				}
				n++
			}
			if !errors.Is(last, cache.ErrUnavailable) {
				t.Errorf("the list of %d ended with %v; want an error: a part of the entries has moved", n, last)
			}
			t.Logf("%d entries, then %v", n-1, last)
		})
	}
}
