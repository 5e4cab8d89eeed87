package integration

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance"
	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/redis"
	"github.com/cachebackends/cachebackends/simple"
)

// counting is a wrapper that counts reads and writes. It embeds the operations of
// the backend inside, and so has every optional method that this backend has.
type counting struct {
	*driver.Operations
	reads, writes *atomic.Int64
}

func (c counting) Get(ctx context.Context, key string) ([]byte, bool, error) {
	c.reads.Add(1)
	return c.Operations.Get(ctx, key)
}

func (c counting) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	c.reads.Add(1)
	return c.Operations.GetMany(ctx, keys)
}

func (c counting) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	c.writes.Add(1)
	return c.Operations.Set(ctx, key, value, ttl)
}

func (c counting) SetMany(ctx context.Context, items []driver.Item, ttl time.Duration) error {
	c.writes.Add(1)
	return c.Operations.SetMany(ctx, items, ttl)
}

func count(b driver.Backend) *counting {
	return &counting{driver.Resolve(b), new(atomic.Int64), new(atomic.Int64)}
}

// A wrapper passes the suite over a store in memory.
func TestWrapperOverSimple(t *testing.T) {
	busy(t)
	open := func(t *testing.T, threshold int) driver.Backend {
		b, err := simple.New(t.Context(), simple.Options{Threshold: threshold})
		if err != nil {
			t.Fatal(err)
		}
		return count(b)
	}
	conformance.Run(t, conformance.Harness{
		Name:     "counting-simple",
		NoReport: true,
		New:      func(t *testing.T) driver.Backend { return open(t, simple.NoLimit) },
		Bubble:   true,
		Stores:   conformance.Stores{Bounded: open},
	})
}

// A wrapper passes the suite over a server, with faults.
func TestWrapperOverRedis(t *testing.T) {
	busy(t)
	server := servers.StartRedis(t, "--databases 10000")
	addr := server.Addrs[0]
	h := apart(redisOver(nil), func(t *testing.T, n int) cache.Backend {
		url := fmt.Sprintf("redis://%s/%d", addr, n)
		return count(over(map[string]any{"CACHE_TYPE": "redis", "CACHE_REDIS_URL": url, "CACHE_ALLOW_FLUSH": true}).New(t))
	})
	h.Name, h.NoReport = "counting-redis", true
	h.Server, h.ServerVersion = "redis", server.Version(t)
	h.Faults = &conformance.Faults{
		Addr: addr,
		New: func(t *testing.T, addr string) (driver.Backend, error) {
			b, err := redis.New(t.Context(), redis.Options{Addr: addr, ReadTimeout: time.Second})
			if err != nil {
				return nil, err
			}
			return count(b), nil
		},
		CancelBound: time.Second,
	}
	h.Slow = true // TestRedis tests the store
	conformance.Run(t, h)
}

// The wrapper counts the calls that it forwards, and every optional method reaches the
// backend inside.
func TestWrapperCounts(t *testing.T) {
	b, err := simple.New(t.Context(), simple.Options{})
	if err != nil {
		t.Fatal(err)
	}
	counted := count(b)
	c := opened(t, counted, nil)
	_, errInc := c.Inc(t.Context(), "n", 1)
	for _, err := range []error{
		c.Set(t.Context(), "k", []byte("v")), c.SetMany(t.Context(), map[string][]byte{"l": nil}), errInc,
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	c.Get(t.Context(), "k")
	c.GetMany(t.Context(), "k", "l")
	if left, ok, err := c.TTL(t.Context(), "n"); left == 0 || !ok || err != nil {
		t.Errorf("TTL: got %v, %v, %v; want that of the backend inside", left, ok, err)
	}
	if reads, writes := counted.reads.Load(), counted.writes.Load(); reads != 2 || writes != 2 {
		t.Errorf("got %d reads, %d writes; want 2, 2", reads, writes)
	}
	if c.Name() != "simple" {
		t.Errorf("Name: got %q, want the name of the backend inside", c.Name())
	}
}
