package integration

import (
	"testing"

	"github.com/cachebackends/cachebackends/conformance"
	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	_ "github.com/cachebackends/cachebackends/flask"
	"github.com/cachebackends/cachebackends/redis"
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

// What Python, or another client, stored without a mark is read as a pickle, and is equal to
// that pickle for CompareAndSwap.
func TestRedisFlaskUnmarkedValues(t *testing.T) {
	variant(t)
	addr, admin := redisAdmin(t)
	b, err := redis.New(t.Context(), patientRedis(redis.Options{Addr: addr, Flask: true}))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, unmarked := range []string{"1180591620717411303424", "\x00\xff bytes", ""} {
		if err := admin.Set(t.Context(), "k", unmarked, 0).Err(); err != nil {
			t.Fatal(err)
		}
		old, ok, err := b.Get(t.Context(), "k")
		if err != nil || !ok {
			t.Fatalf("%q: %v, %v", unmarked, ok, err)
		}
		for _, want := range []bool{true, false} { // the second time it has changed
			if swapped, err := b.CompareAndSwap(t.Context(), "k", old, []byte("new"), 0); err != nil || swapped != want {
				t.Errorf("%q: swapped %v, %v; want %v", unmarked, swapped, err, want)
			}
		}
	}
}
