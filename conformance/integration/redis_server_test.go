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

func TestRedisForeignType(t *testing.T) {
	addr, admin := redisAdmin(t)
	c := openRedis(t, redis.Options{Addr: addr})
	if err := admin.RPush(t.Context(), "list", "x").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Inc(t.Context(), "list", 1); !errors.Is(err, cache.ErrNotInteger) {
		t.Errorf("Inc of a list: %v; want ErrNotInteger", err)
	}
	if _, _, err := c.Backend().Get(t.Context(), "list"); !errors.Is(err, cache.ErrCorrupt) {
		t.Errorf("Get of a list: %v; want ErrCorrupt", err)
	}
}

// The prefix is no pattern, whatever is in it, and what belongs to others stays.
func TestRedisClear(t *testing.T) {
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

func TestRedisClientSideCache(t *testing.T) {
	addr, admin := redisAdmin(t)
	b := openRedis(t, redis.Options{Addr: addr, ClientSideCache: 100}).Backend()
	ctx := t.Context()
	if err := b.Set(ctx, "k", []byte("value"), 0); err != nil {
		t.Fatal(err)
	}
	asked := func() string { return admin.InfoMap(ctx, "stats").Item("Stats", "keyspace_hits") }
	for range 3 { // the first may have to ask
		if v, ok, err := b.Get(ctx, "k"); string(v) != "value" || !ok || err != nil {
			t.Fatalf("Get = %q, %v, %v", v, ok, err)
		}
	}
	before := asked()
	if _, _, err := b.Get(ctx, "k"); err != nil {
		t.Fatal(err)
	}
	if asked() != before {
		t.Error("the server was asked for a value that it had promised to tell of")
	}
	admin.Set(ctx, "k", "changed", 0)
	for end := time.Now().Add(10 * time.Second); ; {
		v, _, err := b.Get(ctx, "k")
		if string(v) == "changed" && err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("10 s after the change: %q, %v", v, err)
		}
	}
}
