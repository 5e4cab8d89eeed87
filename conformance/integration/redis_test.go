package integration

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance"
	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/redis"
)

// redisOver is the harness of a redis that settings describe.
func redisOver(settings map[string]any) conformance.Harness {
	h := over(settings)
	// The server counts begun milliseconds, and so do we.
	h.Limits.Resolution = 2 * time.Millisecond
	h.Limits.RefusedKeys = []string{"k\x00lease.."} // the name of a lease
	h.Traits = map[conformance.Trait]string{
		conformance.ServerStartsTTL: "the server counts the TTL from when it executes the command; an expiry by the client's clock would be wrong by the difference of the clocks",
	}
	h.Unsupported = map[conformance.Feature]string{
		conformance.Threshold: "the server evicts entries when its memory (maxmemory) is full",
	}
	return h
}

func TestRedis(t *testing.T) {
	busy(t)
	if url := os.Getenv("CACHE_TEST_REDIS_URL"); url != "" {
		h := redisOver(map[string]any{"CACHE_TYPE": "redis", "CACHE_REDIS_URL": url})
		h.Unsupported[conformance.Network] = "the server of CACHE_TEST_REDIS_URL is not for breaking"
		conformance.Run(t, h)
		return
	}
	server := servers.StartRedis(t, "--databases 10000")
	addr := server.Addrs[0]
	var databases places[int]
	h := apart(redisOver(nil), func(t *testing.T, n int) cache.Backend {
		url := fmt.Sprintf("redis://%s/%d", addr, n)
		return databases.put(over(map[string]any{"CACHE_TYPE": "redis", "CACHE_REDIS_URL": url, "CACHE_ALLOW_FLUSH": true}).New(t), n)
	})
	h.Stores.Damage = func(t *testing.T, b cache.Backend, key string) { damageRedis(t, addr, databases.of(b), key) }
	h.Server, h.ServerVersion = "redis", server.Version(t)
	h.Faults = &conformance.Faults{
		Addr: addr,
		New: func(t *testing.T, addr string) (cache.Backend, error) {
			return redis.New(t.Context(), redis.Options{Addr: addr, ReadTimeout: time.Second})
		},
	}
	h.Stores.ClearForbidden = over(map[string]any{"CACHE_TYPE": "redis", "CACHE_REDIS_URL": "redis://" + addr}).New
	small := servers.StartRedis(t, "--maxmemory 6mb --maxmemory-policy noeviction")
	h.Stores.Full = func(t *testing.T) cache.Backend {
		return openRedis(t, redis.Options{Addr: small.Addrs[0]}).Backend()
	}
	h.Slow = brief()
	conformance.Run(t, h)
}

// Valkey speaks the protocol of Redis.
func TestValkey(t *testing.T) {
	variant(t)
	server := servers.StartValkey(t, "--databases 10000")
	addr := server.Addrs[0]
	h := apart(redisOver(nil), func(t *testing.T, n int) cache.Backend {
		url := fmt.Sprintf("redis://%s/%d", addr, n)
		return over(map[string]any{"CACHE_TYPE": "redis", "CACHE_REDIS_URL": url, "CACHE_ALLOW_FLUSH": true}).New(t)
	})
	h.Name = "redis-valkey"
	h.Server, h.ServerVersion = "valkey", server.Version(t)
	h.Unsupported[conformance.Network] = onlyOneServer
	h.Slow = true
	conformance.Run(t, h)
}

const onlyOneServer = "faults of the wire are tested with one server; what happens to several is in redis_failover_test.go"

func TestRedisUserTLS(t *testing.T) {
	variant(t)
	certificate := servers.NewCertificate(t)
	server := servers.StartRedisTLS(t, certificate, "app", "hunter2")
	authority := caFile(t, certificate)
	settings := func(password, database string) map[string]any {
		return map[string]any{
			"CACHE_TYPE": "redis", "CACHE_REDIS_URL": "rediss://app:" + password + "@" + server.Addrs[0] + database, "CACHE_REDIS_TLS_CA": authority,
		}
	}
	h := emptied(redisOver(settings("hunter2", "/0")), settings("hunter2", "/1"))
	h.Stores.Unauthorized = over(settings("wrong", "/0")).New
	h.Name, h.Secrets = "redis-tls", []string{"hunter2"}
	h.Server, h.ServerVersion = "redis", server.Version(t)
	h.Unsupported[conformance.Network] = onlyOneServer
	h.Slow = true
	conformance.Run(t, h)
}

func TestRedisCluster(t *testing.T) {
	busy(t)
	cluster := servers.StartRedisCluster(t, 0)
	settings := func(cluster *servers.Redis) map[string]any {
		return map[string]any{"CACHE_TYPE": "RedisClusterCache", "CACHE_REDIS_CLUSTER": cluster.Addrs}
	}
	h := emptied(redisOver(settings(cluster)), settings(servers.StartRedisCluster(t, 0)))
	h.Name = "redis-cluster"
	other := servers.StartRedisCluster(t, 0) // not in the rule, which is ended while a busy machine starts servers
	h.Stores.PartialOutage = func(t *testing.T) (cache.Backend, func()) {
		return openRedis(t, redis.Options{Cluster: other.Addrs[1:]}).Backend(), func() { other.Kill(t, 0) }
	}
	h.Server, h.ServerVersion = "redis", cluster.Version(t)
	h.Unsupported[conformance.Network] = onlyOneServer
	h.Slow = true // TestRedis repeats what is random more often
	conformance.Run(t, h)
}

func TestRedisSentinel(t *testing.T) {
	variant(t)
	sentinel := servers.StartRedisSentinel(t, "hunter2", "sesame")
	settings := func(password, sentinelPassword string) map[string]any {
		return map[string]any{
			"CACHE_TYPE": "RedisSentinelCache", "CACHE_REDIS_SENTINELS": sentinel.Addrs,
			"CACHE_REDIS_PASSWORD": password, "CACHE_REDIS_SENTINEL_PASSWORD": sentinelPassword,
		}
	}
	spare := settings("hunter2", "sesame")
	spare["CACHE_REDIS_DB"] = 1
	h := emptied(redisOver(settings("hunter2", "sesame")), spare)
	h.Stores.Unauthorized = over(settings("wrong", "sesame")).New
	h.Name, h.Secrets = "redis-sentinel", []string{"hunter2", "sesame"}
	h.Server, h.ServerVersion = "redis", sentinel.Version(t)
	h.Unsupported[conformance.Network] = onlyOneServer
	h.Slow = true
	conformance.Run(t, h)
}
