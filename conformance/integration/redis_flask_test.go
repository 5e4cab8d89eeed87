package integration

import (
	"testing"

	"github.com/cachebackends/cachebackends/conformance"
	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	_ "github.com/cachebackends/cachebackends/flask"
)

// The layout of Flask-Caching keeps every rule.
func TestRedisFlask(t *testing.T) {
	variant(t)
	server := servers.StartRedis(t, "")
	settings := func(database string) map[string]any {
		return map[string]any{"CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": "redis://" + server.Addrs[0] + database, "CACHE_FLASK": true}
	}
	h := emptied(redisOver(settings("/0")), settings("/1"))
	h.Name = "redis-flask"
	h.Server, h.ServerVersion = "redis", server.Version(t)
	h.Unsupported[conformance.Network] = onlyOneServer
	h.Slow = true
	conformance.Run(t, h)
}
