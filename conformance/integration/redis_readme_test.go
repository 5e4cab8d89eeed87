package integration

import (
	"testing"

	"github.com/cachebackends/cachebackends/conformance/integration/servers"
)

func TestRedisReadme(t *testing.T) {
	busy(t)
	one := servers.StartRedis(t, "--user user on '>password' '~*' '&*' +@all")
	worksAsShown(t, "redis", "CACHE_TYPE=redis ", "localhost:6379", one.Addrs[0])

	cluster := servers.StartRedisCluster(t, 0)
	worksAsShown(t, "redis", "CACHE_TYPE=rediscluster ",
		"10.0.0.1:6379", cluster.Addrs[0], "10.0.0.2:6379", cluster.Addrs[1], "...", "")

	sentinel := servers.StartRedisSentinel(t, "hunter2", "sesame")
	worksAsShown(t, "redis", "CACHE_TYPE=redissentinel ",
		"10.0.0.1:26379", sentinel.Addrs[0], "10.0.0.2:26379", sentinel.Addrs[1],
		"SENTINEL_PASSWORD=...", "SENTINEL_PASSWORD=sesame", "REDIS_PASSWORD=...", "REDIS_PASSWORD=hunter2")
}
