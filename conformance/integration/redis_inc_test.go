package integration

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/redis"
)

// allow creates the user app with the password secret, the keys that begin with p: and
// the commands of rules.
func allow(t *testing.T, admin *goredis.Client, rules ...string) {
	t.Helper()
	args := []any{"acl", "setuser", "app", "reset", "on", ">secret", "~p:*", "-@all"}
	for _, rule := range rules {
		args = append(args, rule)
	}
	if err := admin.Do(t.Context(), args...).Err(); err != nil {
		t.Fatal(err)
	}
}

// Inc has the same results with scripts, transactions and single commands.
func TestRedisIncMethods(t *testing.T) {
	busy(t)
	for name, rules := range map[string][]string{
		"scripts":      {"+@all", "-@transaction"},
		"transactions": {"+@all", "-@scripting"},
		"commands":     {"+@read", "+@write", "+@connection"},
	} {
		t.Run(name, func(t *testing.T) {
			addr, admin := redisAdmin(t)
			allow(t, admin, rules...)
			b := openRedis(t, redis.Options{Addr: addr, Username: "app", Password: cache.Secret("secret")}).Backend().(*redis.Backend)
			ctx := t.Context()
			inc := func(key string, delta, want int64, ttl time.Duration) {
				t.Helper()
				if sum, err := b.Inc(ctx, key, delta, ttl); sum != want || err != nil {
					t.Errorf("Inc(%s, %d) = %d, %v; want %d", key, delta, sum, err, want)
				}
			}
			lives := func(key string, least, most time.Duration) {
				t.Helper()
				if ttl := admin.PTTL(ctx, key).Val(); ttl < least || ttl > most {
					t.Errorf("%s lives for %v; want %v to %v", key, ttl, least, most)
				}
			}
			inc("p:new", 5, 5, time.Minute)
			lives("p:new", 50*time.Second, time.Minute)
			inc("p:new", -7, -2, time.Hour)
			lives("p:new", 50*time.Second, time.Minute)
			inc("p:forever", 1, 1, 0)
			inc("p:forever", 1, 2, time.Minute)
			lives("p:forever", -1, -1) // no expiry
			for _, large := range []int64{math.MaxInt64 - 1, math.MinInt64 + 1, 1 << 53, -1<<53 - 1} {
				admin.Set(ctx, "p:large", large-1, time.Hour)
				inc("p:large", 1, large, time.Minute)
				lives("p:large", 59*time.Minute, time.Hour)
			}
			admin.Set(ctx, "p:text", "text", 0)
			admin.Set(ctx, "p:full", math.MaxInt64, 0)
			for key, want := range map[string]error{"p:text": cache.ErrNotInteger, "p:full": cache.ErrNotInteger, "other": cache.ErrAuth} {
				if _, err := b.Inc(ctx, key, 1, time.Minute); !errors.Is(err, want) || errors.Is(err, cache.ErrUnknownOutcome) {
					t.Errorf("Inc(%s): %v; want %v", key, err, want)
				}
			}
			if text, full := admin.Get(ctx, "p:text").Val(), admin.Get(ctx, "p:full").Val(); text != "text" || full != strconv.Itoa(math.MaxInt64) {
				t.Errorf("a refused Inc changed %q, %q", text, full)
			}
			var callers sync.WaitGroup
			for range 20 {
				callers.Go(func() {
					for range 50 {
						if _, err := b.Inc(ctx, "p:many", 1, time.Minute); err != nil {
							t.Error(err)
						}
					}
				})
			}
			callers.Wait()
			inc("p:many", 0, 1000, time.Minute)
			lives("p:many", 50*time.Second, time.Minute)
		})
	}
}

// A counter that expires during Inc gets its expiry again.
func TestRedisIncOfExpiringKey(t *testing.T) {
	busy(t)
	addr, admin := redisAdmin(t)
	allow(t, admin, "+@read", "+@write", "+@connection")
	b := openRedis(t, redis.Options{Addr: addr, Username: "app", Password: cache.Secret("secret")}).Backend().(*redis.Backend)
	for range 2000 {
		if _, err := b.Inc(t.Context(), "p:n", 1, time.Millisecond); err != nil {
			t.Fatal(err)
		}
		if ttl := admin.PTTL(t.Context(), "p:n").Val(); ttl == -1 {
			t.Fatal("the counter has no expiry")
		}
	}
}

func TestRedisIncInCluster(t *testing.T) {
	busy(t)
	cluster := servers.StartRedisCluster(t, 0)
	for name, rules := range map[string]string{"scripts": "+@all", "transactions": "+@all -@scripting", "commands": "+cluster +incrby +set +pttl +pexpire"} {
		for i := range cluster.Addrs {
			if out, err := cluster.Cli(t.Context(), i, "acl setuser app reset on '>secret' '~*' "+rules); out != "OK" || err != nil {
				t.Fatal(out, err)
			}
		}
		b := openRedis(t, redis.Options{Cluster: cluster.Addrs[:1], Username: "app", Password: cache.Secret("secret")}).Backend().(*redis.Backend)
		for i := range 20 {
			key := name + strconv.Itoa(i)
			for want := int64(3); want < 10; want += 3 {
				if sum, err := b.Inc(t.Context(), key, 3, time.Minute); sum != want || err != nil {
					t.Errorf("%s: Inc = %d, %v; want %d", name, sum, err, want)
				}
			}
			if ttl, ok, err := b.TTL(t.Context(), key); ttl < 50*time.Second || ttl > time.Minute+time.Millisecond || !ok || err != nil {
				t.Errorf("%s: lives for %v, %v, %v", name, ttl, ok, err)
			}
		}
	}
}

// A call needs only the commands that the README lists for it.
func TestRedisPermissions(t *testing.T) {
	busy(t)
	type call func(t *testing.T, b *redis.Backend) error
	addr, admin := redisAdmin(t)
	readme := readmeText(t, "redis")
	keys := []string{"p:a", "p:b"}
	for name, tt := range map[string]struct {
		commands string
		call     call
	}{
		"Get":     {"get", func(t *testing.T, b *redis.Backend) error { _, _, err := b.Get(t.Context(), "p:a"); return err }},
		"GetMany": {"mget", func(t *testing.T, b *redis.Backend) error { _, err := b.GetMany(t.Context(), keys); return err }},
		"Set, SetMany, Add": {"set", func(t *testing.T, b *redis.Backend) error {
			_, err := b.Add(t.Context(), "p:a", nil, time.Minute)
			return errors.Join(err, b.Set(t.Context(), "p:a", nil, 0), b.SetMany(t.Context(), []driver.Item{{Key: "p:a"}, {Key: "p:b"}}, time.Minute))
		}},
		"Has": {"type", func(t *testing.T, b *redis.Backend) error { _, err := b.Has(t.Context(), "p:a"); return err }},
		"TTL": {"pttl", func(t *testing.T, b *redis.Backend) error { _, _, err := b.TTL(t.Context(), "p:a"); return err }},
		"Delete, DeleteMany": {"unlink", func(t *testing.T, b *redis.Backend) error {
			_, err := b.Delete(t.Context(), "p:a")
			_, errs := b.DeleteMany(t.Context(), keys)
			return errors.Join(err, errs)
		}},
		"Inc without a timeout":               {"incrby", inc(0)},
		"Inc with a timeout":                  {"incrby set eval", inc(time.Minute)},
		"Inc with a timeout, without EVAL":    {"incrby set multi exec", inc(time.Minute)},
		"Inc with a timeout, without the two": {"incrby set pttl pexpire", inc(time.Minute)},
		"Lease, Fill, Release": {"eval type get set unlink", func(t *testing.T, b *redis.Backend) error {
			_, _, token, err := b.Lease(t.Context(), "p:leased", time.Minute)
			_, errFill := b.Fill(t.Context(), "p:leased", token, nil, time.Minute)
			return errors.Join(err, errFill, b.Release(t.Context(), "p:leased", token))
		}},
		"CompareAndSwap": {"eval type get set unlink", func(t *testing.T, b *redis.Backend) error {
			_, err := b.CompareAndSwap(t.Context(), "p:a", nil, nil, time.Minute)
			return err
		}},
		"Clear with a prefix": {"scan unlink", func(t *testing.T, b *redis.Backend) error { return b.ClearPrefix(t.Context(), "p:") }},
		"Clear":               {"flushdb", func(t *testing.T, b *redis.Backend) error { return b.Clear(t.Context()) }},
		"Ping":                {"ping", func(t *testing.T, b *redis.Backend) error { return b.Ping(t.Context()) }},
	} {
		t.Run(name, func(t *testing.T) {
			commands := strings.Fields(tt.commands)
			for i := range commands {
				commands[i] = "+" + commands[i]
			}
			allow(t, admin, append(commands, "+hello")...)
			b := openRedis(t, redis.Options{Addr: addr, Username: "app", Password: cache.Secret("secret"), AllowFlush: true}).Backend().(*redis.Backend)
			for range 2 {
				if err := tt.call(t, b); err != nil {
					t.Error(err)
				}
			}
			if name == "Get" {
				name = "Get, GetAppend" // one row of the table
			}
			row := "| " + name + " | `" + strings.ReplaceAll(strings.ToUpper(tt.commands), " ", "`, `") + "` |\n"
			if !slices.Contains(readme, row) {
				t.Errorf("README has no row %q", row)
			}
		})
	}
}

func inc(ttl time.Duration) func(t *testing.T, b *redis.Backend) error {
	return func(t *testing.T, b *redis.Backend) error { _, err := b.Inc(t.Context(), "p:n", 1, ttl); return err }
}
