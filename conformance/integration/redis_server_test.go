package integration

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/redis"
)

// redisAdmin starts a server and returns its address and a client beside ours.
func redisAdmin(t *testing.T) (addr string, admin *goredis.Client) {
	t.Helper()
	addr = servers.StartRedis(t, "").Addrs[0]
	admin = goredis.NewClient(&goredis.Options{Addr: addr})
	t.Cleanup(func() { admin.Close() })
	return addr, admin
}

// If another program stores another type under a key, the key is absent for every method,
// so that a lock can be taken again.
func TestRedisForeignType(t *testing.T) {
	busy(t)
	addr, one := redisAdmin(t)
	nodes := servers.StartRedisCluster(t, 0).Addrs
	cluster := goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: nodes})
	defer cluster.Close()
	for name, tt := range map[string]struct {
		admin goredis.UniversalClient
		o     redis.Options
	}{
		"one server":      {one, redis.Options{Addr: addr}},
		"without sharing": {one, redis.Options{Addr: addr, NoAutoPipeline: true}},
		"cluster":         {cluster, redis.Options{Cluster: nodes}},
	} {
		t.Run(name, func(t *testing.T) {
			b := openRedis(t, tt.o).Backend().(*redis.Backend)
			ctx := t.Context()
			for typ, create := range map[string]func(key string) error{
				"list": func(key string) error { return tt.admin.RPush(ctx, key, "x").Err() },
				"hash": func(key string) error { return tt.admin.HSet(ctx, key, "x", "y").Err() },
				"stream": func(key string) error {
					return tt.admin.XAdd(ctx, &goredis.XAddArgs{Stream: key, Values: []string{"x", "y"}}).Err()
				},
			} {
				for method, call := range map[string]func(key string) (present bool, err error){
					"Has": func(key string) (bool, error) { return b.Has(ctx, key) },
					"TTL": func(key string) (bool, error) { _, ok, err := b.TTL(ctx, key); return ok, err },
					"GetMany": func(key string) (bool, error) {
						values, err := b.GetMany(ctx, []string{"absent", key})
						return values[1] != nil, err
					},
					"Delete": func(key string) (bool, error) { return b.Delete(ctx, key) },
					"DeleteMany": func(key string) (bool, error) {
						deleted, err := b.DeleteMany(ctx, []string{"absent", key})
						return deleted[1], err
					},
					"Add": func(key string) (bool, error) {
						added, err := b.Add(ctx, key, []byte("new"), time.Hour)
						return !added, err
					},
					"Add for a moment": func(key string) (bool, error) {
						added, err := b.Add(ctx, key, []byte("new"), time.Second)
						return !added, err
					},
					"Inc": func(key string) (bool, error) {
						sum, err := b.Inc(ctx, key, 7, 0)
						return sum != 7, err
					},
					"Inc with a timeout": func(key string) (bool, error) {
						sum, err := b.Inc(ctx, key, 7, time.Hour)
						return sum != 7, err
					},
					"CompareAndSwap": func(key string) (bool, error) { return b.CompareAndSwap(ctx, key, nil, nil, 0) },
					"Lease": func(key string) (bool, error) {
						_, ok, token, err := b.Lease(ctx, key, time.Minute)
						if ok || token == "" || err != nil {
							return true, err
						}
						filled, err := b.Fill(ctx, key, token, []byte("new"), time.Hour)
						return !filled, err
					},
				} {
					key := typ + method
					if err := create(key); err != nil {
						t.Fatal(err)
					}
					if present, err := call(key); present || err != nil {
						t.Errorf("%s of a %s: present: %v, %v", method, typ, present, err)
					}
					if method == "Delete" || method == "DeleteMany" {
						if n := tt.admin.Exists(ctx, key).Val(); n != 0 {
							t.Errorf("%s leaves a %s", method, typ)
						}
					}
					if err := tt.admin.Del(ctx, key).Err(); err != nil {
						t.Fatal(err)
					}
				}
				key := typ + "Get"
				if err := create(key); err != nil {
					t.Fatal(err)
				}
				if _, _, err := b.Get(ctx, key); !errors.Is(err, cache.ErrCorrupt) {
					t.Errorf("Get of a %s: %v; want ErrCorrupt", typ, err)
				}
			}
		})
	}
}

// The prefix is no pattern, whatever is in it, and what belongs to others stays.
func TestRedisClear(t *testing.T) {
	busy(t)
	addr, admin := redisAdmin(t)
	c := openRedis(t, redis.Options{Addr: addr})
	b, ctx := c.Backend().(*redis.Backend), t.Context()
	left := func() int64 {
		t.Helper()
		n, err := admin.DBSize(ctx).Result()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if err := c.Clear(ctx); err == nil || !strings.Contains(err.Error(), "AllowFlush (CACHE_ALLOW_FLUSH)") {
		t.Errorf("Clear: %v; want a refusal that says what permits it", err)
	}
	for _, prefix := range []string{`a*`, `a?`, `a[b]`, `a\`, `[^x]`, `%`, `-`, `^`, "\n", "ü"} {
		keep := []string{"ab:1", "ax", "a", "b" + prefix, "[", `\`}
		for _, key := range append(keep, prefix, prefix+"1") {
			if err := b.Set(ctx, key, nil, 0); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.ClearPrefix(ctx, prefix); err != nil {
			t.Fatal(err)
		}
		if n := left(); n != int64(len(keep)) {
			t.Errorf("prefix %q: %d keys are left; want %d", prefix, n, len(keep))
		}
		admin.FlushDB(ctx)
	}
	items := make([]driver.Item, 5000)
	for i := range items {
		items[i].Key = fmt.Sprint("p:", i)
	}
	if err := b.SetMany(ctx, append(items, driver.Item{Key: "q:1"}), 0); err != nil {
		t.Fatal(err)
	}
	if err := b.ClearPrefix(ctx, "p:"); err != nil {
		t.Fatal(err)
	}
	if n := left(); n != 1 {
		t.Errorf("%d keys are left; want 1", n)
	}
	if err := openRedis(t, redis.Options{Addr: addr, AllowFlush: true}).Clear(ctx); err != nil {
		t.Fatal(err)
	}
	if n := left(); n != 0 {
		t.Errorf("%d keys are left; want none", n)
	}
}

// Rule CLO-4 of the contract.
func TestRedisBorrowedClient(t *testing.T) {
	busy(t)
	_, admin := redisAdmin(t)
	b, err := redis.NewFromClient(admin, redis.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Set(t.Context(), "k", []byte("v"), time.Minute); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if _, _, err := b.Get(t.Context(), "k"); !errors.Is(err, cache.ErrClosed) {
		t.Errorf("Get after Close: %v; want ErrClosed", err)
	}
	if v, err := admin.Get(t.Context(), "k").Result(); v != "v" || err != nil {
		t.Errorf("the borrowed client, after Close: %q, %v", v, err)
	}
}
