package main

import (
	"fmt"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

type redisInspector struct{ *goredis.Client }

func inspectRedis(t *testing.T, addr string) inspector {
	client := goredis.NewClient(&goredis.Options{Addr: addr})
	t.Cleanup(func() { client.Close() })
	return redisInspector{client}
}

func (r redisInspector) delete(t *testing.T, key string) { r.Del(t.Context(), key) }

func (r redisInspector) ttl(t *testing.T, key string) time.Duration {
	return r.TTL(t.Context(), key).Val()
}

func (r redisInspector) executed(t *testing.T, op string) (count int) {
	stats := r.InfoMap(t.Context(), "commandstats").Item("Commandstats", "cmdstat_"+op)
	fmt.Sscanf(stats, "calls=%d", &count)
	return count
}
