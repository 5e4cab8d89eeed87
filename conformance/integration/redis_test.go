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
	h.Resolution = 2 * time.Millisecond
	h.LateLife = "the server counts from when it executes the command: an end by our clock would be wrong by as much as the clocks differ"
	h.Unsupported = map[conformance.Feature]string{
		conformance.Threshold: "the server's maxmemory bounds it",
	}
	return h
}

func TestRedis(t *testing.T) {
	if url := os.Getenv("CACHE_TEST_REDIS_URL"); url != "" {
		h := redisOver(map[string]any{"CACHE_TYPE": "redis", "CACHE_REDIS_URL": url})
		h.Unsupported[conformance.Network] = "the server of CACHE_TEST_REDIS_URL is not for breaking"
		conformance.Run(t, h)
		return
	}
	server := servers.StartRedis(t, "--databases 10000")
	addr := server.Addrs[0]
	h := apart(redisOver(nil), func(t *testing.T, n int) cache.Backend {
		url := fmt.Sprintf("redis://%s/%d", addr, n)
		return over(map[string]any{"CACHE_TYPE": "redis", "CACHE_REDIS_URL": url, "CACHE_ALLOW_FLUSH": true}).New(t)
	})
	h.Server, h.ServerVersion = "redis", server.Version(t)
	h.Faults = &conformance.Faults{
		Addr: addr,
		New: func(t *testing.T, addr string) (cache.Backend, error) {
			return redis.New(t.Context(), redis.Options{Addr: addr, ReadTimeout: time.Second})
		},
		CancelBound: time.Second, // the driver hears of a deadline at once, of a cancellation at ReadTimeout
	}
	conformance.Run(t, h)
}

const onlyOneServer = "faults of the wire are tested with one server; what happens to several is in redis_failover_test.go"

func TestRedisUserTLS(t *testing.T) {
	t.Parallel()
	certificate := servers.NewCertificate(t)
	server := servers.StartRedisTLS(t, certificate, "app", "hunter2")
	h := redisOver(map[string]any{
		"CACHE_TYPE": "redis", "CACHE_REDIS_URL": "rediss://app:hunter2@" + server.Addrs[0], "CACHE_REDIS_TLS_CA": caFile(t, certificate),
	})
	h.Name, h.Secrets = "redis-tls", []string{"hunter2"}
	h.Server, h.ServerVersion = "redis", server.Version(t)
	h.Unsupported[conformance.Network] = onlyOneServer
	conformance.Run(t, h)
}

func TestRedisCluster(t *testing.T) {
	t.Parallel()
	cluster := servers.StartRedisCluster(t)
	h := redisOver(map[string]any{"CACHE_TYPE": "RedisClusterCache", "CACHE_REDIS_CLUSTER": cluster.Addrs})
	h.Name = "redis-cluster"
	h.Server, h.ServerVersion = "redis", cluster.Version(t)
	h.Unsupported[conformance.Network] = onlyOneServer
	conformance.Run(t, h)
}

func TestRedisSentinel(t *testing.T) {
	t.Parallel()
	sentinel := servers.StartRedisSentinel(t, "hunter2", "sesame")
	h := redisOver(map[string]any{
		"CACHE_TYPE": "RedisSentinelCache", "CACHE_REDIS_SENTINELS": sentinel.Addrs,
		"CACHE_REDIS_PASSWORD": "hunter2", "CACHE_REDIS_SENTINEL_PASSWORD": "sesame",
	})
	h.Name, h.Secrets = "redis-sentinel", []string{"hunter2", "sesame"}
	h.Server, h.ServerVersion = "redis", sentinel.Version(t)
	h.Unsupported[conformance.Network] = onlyOneServer
	conformance.Run(t, h)
}
