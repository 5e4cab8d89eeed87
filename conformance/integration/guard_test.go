package integration

import (
	"fmt"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance"
	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/guard"
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
	t.Parallel()
	server := servers.StartRedis(t, "--databases 10000")
	addr := server.Addrs[0]
	h := apart(redisOver(nil), func(t *testing.T, n int) cache.Backend {
		return over(map[string]any{
			"CACHE_TYPE": "guard", "CACHE_OPTIONS": map[string]any{"pause": "1ms", "inner": map[string]any{
				"CACHE_TYPE": "redis", "CACHE_REDIS_URL": fmt.Sprintf("redis://%s/%d", addr, n), "CACHE_ALLOW_FLUSH": true,
			}},
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
	conformance.Run(t, h)
}
