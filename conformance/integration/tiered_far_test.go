package integration

import (
	"fmt"
	"maps"
	"testing"

	"github.com/cachebackends/cachebackends/conformance"
	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/gcs"
	"github.com/cachebackends/cachebackends/tiered"
)

// tieredSettings are those of simple in front of the backend that far describes.
func tieredSettings(far, options map[string]any) map[string]any {
	all := map[string]any{"near": map[string]any{"CACHE_TYPE": "simple"}, "far": patient(far)}
	maps.Copy(all, options)
	return map[string]any{"CACHE_TYPE": "tiered", "CACHE_OPTIONS": all}
}

// withFlush returns settings that permit Clear without a prefix.
func withFlush(settings map[string]any) map[string]any {
	settings = maps.Clone(settings)
	settings["CACHE_ALLOW_FLUSH"] = true
	return settings
}

// withNotices is the harness of a tiered backend whose far reports changes.
func withNotices(t *testing.T, name string, server *servers.Redis, far, spare map[string]any) conformance.Harness {
	h := redisOver(tieredSettings(far, nil))
	h.Name, h.NoReport, h.Slow = name, true, true
	h.Server, h.ServerVersion = "redis", server.Version(t)
	h.Stores.ClearAllowed = over(tieredSettings(withFlush(spare), nil)).New
	h.Stores.Reopen = nil
	h.Unsupported[conformance.Persistence] = "TestTieredOverRedisWithoutNotices has two handles"
	h.Unsupported[conformance.Network] = "TestTieredOverRedis injects faults"
	return h
}

// Every primary of a cluster reports changes.
func TestTieredOverRedisCluster(t *testing.T) {
	variant(t)
	cluster, spare := servers.StartRedisCluster(t, 0), servers.StartRedisCluster(t, 0)
	of := func(cluster *servers.Redis) map[string]any {
		return map[string]any{"CACHE_TYPE": "rediscluster", "CACHE_REDIS_CLUSTER": cluster.Addrs}
	}
	conformance.Run(t, withNotices(t, "tiered-redis-cluster", cluster, of(cluster), of(spare)))
}

// The primary that sentinels monitor reports changes.
func TestTieredOverRedisSentinel(t *testing.T) {
	variant(t)
	sentinel := servers.StartRedisSentinel(t, "hunter2", "sesame")
	of := func(database int) map[string]any {
		return map[string]any{
			"CACHE_TYPE": "redissentinel", "CACHE_REDIS_SENTINELS": sentinel.Addrs, "CACHE_REDIS_DB": database,
			"CACHE_REDIS_PASSWORD": "hunter2", "CACHE_REDIS_SENTINEL_PASSWORD": "sesame",
		}
	}
	conformance.Run(t, withNotices(t, "tiered-redis-sentinel", sentinel, of(0), of(1)))
}

// uWSGI reports no changes, and returns values with their remaining TTL.
func TestTieredOverUWSGI(t *testing.T) {
	variant(t)
	server, spare := servers.StartUwsgi(t, ""), servers.StartUwsgi(t, "")
	of := func(name string) map[string]any {
		return map[string]any{
			"CACHE_TYPE": "uwsgi", "CACHE_UWSGI_NAME": name,
			"CACHE_OPTIONS": map[string]any{"max_value": servers.UwsgiBlockSize},
		}
	}
	emptied := withFlush(of("first@" + spare.Addr))
	emptied["CACHE_OPTIONS"] = map[string]any{"max_value": servers.UwsgiBlockSize, "first_cache": true}
	h := uwsgiAt("first@" + server.Addr)
	byTime := map[string]any{"near_ttl": nearTTL}
	tiered := over(tieredSettings(of("first@"+server.Addr), byTime))
	h.New, h.Stores.Reopen = tiered.New, tiered.Stores.Reopen
	h.Stores.ClearAllowed = over(tieredSettings(emptied, byTime)).New
	h.Name, h.NoReport, h.Slow = "tiered-uwsgi", true, true
	h.Server, h.ServerVersion = "uwsgi", server.Version(t)
	h.Limits.Staleness = nearTTL
	h.Unsupported[conformance.Network] = "TestUWSGI injects faults"
	conformance.Run(t, h)
}

// A bucket reports no changes, and returns values with their remaining TTL.
func TestTieredOverGCS(t *testing.T) {
	variant(t)
	endpoint, newBucket := startGCS(t)
	h := apart(gcsOver(endpoint, ""), func(t *testing.T, n int) cache.Backend {
		bucket := fmt.Sprint("bucket", n)
		newBucket(bucket)
		far, err := gcs.New(t.Context(), gcs.Options{Bucket: bucket, Endpoint: endpoint, Anonymous: true, AllowFlush: true})
		if err != nil {
			t.Fatal(err)
		}
		return inFrontOf(t, far, tiered.Options{NearTTL: nearTTL})
	})
	h.Name, h.NoReport, h.Slow = "tiered-gcs", true, true
	h.Limits.Staleness = nearTTL
	h.Unsupported[conformance.Network] = "TestGCS injects faults"
	conformance.Run(t, h)
}
