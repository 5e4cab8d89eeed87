package integration

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/redis"
)

// leaseOf takes the lease of key.
func leaseOf(t *testing.T, b *redis.Backend, key string) (token string) {
	t.Helper()
	value, ok, token, err := b.Lease(t.Context(), key, driver.MaxHold)
	if ok || token == "" || err != nil {
		t.Fatalf("Lease(%q) = %q, %v, %q, %v; want a token", key, value, ok, token, err)
	}
	return token
}

// Every change of a key ends its lease, even if the entry has expired before Fill.
func TestRedisLeaseEnds(t *testing.T) {
	busy(t)
	nodes := servers.StartRedisCluster(t, 0).Addrs
	for name, o := range map[string]redis.Options{
		"one server": {Addr: servers.StartRedis(t, "").Addrs[0], AllowFlush: true},
		"cluster":    {Cluster: nodes, AllowFlush: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := openRedis(t, o).Backend().(*redis.Backend)
			ctx := t.Context()
			const moment = time.Millisecond
			for change, do := range map[string]func(key string) error{
				"Set":             func(key string) error { return b.Set(ctx, key, nil, 0) },
				"Set, short":      func(key string) error { return b.Set(ctx, key, nil, moment) },
				"Add":             func(key string) error { _, err := b.Add(ctx, key, nil, time.Hour); return err },
				"Add, short":      func(key string) error { _, err := b.Add(ctx, key, nil, moment); return err },
				"Inc":             func(key string) error { _, err := b.Inc(ctx, key, 1, 0); return err },
				"Inc, short":      func(key string) error { _, err := b.Inc(ctx, key, 1, moment); return err },
				"SetMany":         func(key string) error { return b.SetMany(ctx, []driver.Item{{Key: key}, {Key: "other"}}, time.Hour) },
				"SetMany, short":  func(key string) error { return b.SetMany(ctx, []driver.Item{{Key: key}, {Key: "other"}}, moment) },
				"Delete":          func(key string) error { _, err := b.Delete(ctx, key); return err },
				"DeleteMany":      func(key string) error { _, err := b.DeleteMany(ctx, []string{"other", key}); return err },
				"ClearPrefix":     func(key string) error { return b.ClearPrefix(ctx, key[:len(key)-1]) },
				"ClearPrefix all": func(key string) error { return b.ClearPrefix(ctx, "") },
				"Clear":           func(key string) error { return b.Clear(ctx) },
				"Set and swap": func(key string) error {
					err := b.Set(ctx, key, []byte("old"), 0)
					_, errSwap := b.CompareAndSwap(ctx, key, []byte("old"), nil, moment)
					return errors.Join(err, errSwap)
				},
				"Set and Delete": func(key string) error {
					err := b.Set(ctx, key, nil, 0)
					_, errDelete := b.Delete(ctx, key)
					return errors.Join(err, errDelete)
				},
			} {
				for _, key := range []string{"key", "{tag}key", "odd{key", "odd}key"} {
					key := change + " " + key
					token := leaseOf(t, b, key)
					if err := do(key); err != nil {
						t.Errorf("%s: %v", change, err)
					}
					if strings.Contains(change, "short") || strings.Contains(change, "swap") {
						for ok := true; ok; {
							ok, _ = b.Has(ctx, key) // until it has expired
						}
					}
					before, present, _ := b.Get(ctx, key)
					if filled, err := b.Fill(ctx, key, token, []byte("stale"), 0); filled || err != nil {
						t.Errorf("%q: Fill after %s: %v, %v", key, change, filled, err)
					}
					if value, ok, err := b.Get(ctx, key); string(value) != string(before) || ok != present || err != nil {
						t.Errorf("%q: Get after that: %q, %v, %v; want %q, %v", key, value, ok, err, before, present)
					}
				}
			}
		})
	}
}

// The name of a lease is an invalid key, and no lease outlives its hold.
func TestRedisLeaseIsHidden(t *testing.T) {
	busy(t)
	addr, admin := redisAdmin(t)
	b := openRedis(t, redis.Options{Addr: addr}).Backend().(*redis.Backend)
	ctx := t.Context()
	token := leaseOf(t, b, "k")
	names := admin.Keys(ctx, "*").Val()
	if len(names) != 1 || !strings.HasPrefix(names[0], "k\x00lease") {
		t.Fatalf("names %q", names)
	}
	if ttl := admin.PTTL(ctx, names[0]).Val(); ttl <= 0 || ttl > driver.MaxHold {
		t.Errorf("the lease ends in %v", ttl)
	}
	if _, ok, err := b.Get(ctx, names[0]); ok || !errors.Is(err, cache.ErrInvalidKey) {
		t.Errorf("Get of the name: %v, %v", ok, err)
	}
	if has, err := b.Has(ctx, "k"); has || err != nil {
		t.Errorf("Has of a leased key: %v, %v", has, err)
	}
	if _, ok, other, err := b.Lease(ctx, "k", time.Second); ok || other != "" || err != nil {
		t.Errorf("a second Lease: %v, %q, %v", ok, other, err)
	}
	if err := b.Release(ctx, "k", "another token"); err != nil {
		t.Error(err)
	}
	if filled, err := b.Fill(ctx, "k", token, []byte("v"), time.Hour); !filled || err != nil {
		t.Errorf("Fill = %v, %v", filled, err)
	}
	if names := admin.Keys(ctx, "*").Val(); len(names) != 1 || names[0] != "k" {
		t.Errorf("names after Fill %q", names)
	}
	if value, ok, _, err := b.Lease(ctx, "k", time.Second); string(value) != "v" || !ok || err != nil {
		t.Errorf("Lease of a present key: %q, %v, %v", value, ok, err)
	}
	token = leaseOf(t, b, "released")
	if err := b.Release(ctx, "released", token); err != nil {
		t.Error(err)
	}
	if names := admin.Keys(ctx, "released*").Val(); len(names) != 0 {
		t.Errorf("names after Release %q", names)
	}
}

// One of many callers in several processes loads.
func TestRedisLeaseIsTakenOnce(t *testing.T) {
	busy(t)
	nodes := servers.StartRedisCluster(t, 0).Addrs
	for name, o := range map[string]redis.Options{"one server": {Addr: servers.StartRedis(t, "").Addrs[0]}, "cluster": {Cluster: nodes}} {
		t.Run(name, func(t *testing.T) {
			var backends []*redis.Backend
			for range 4 {
				backends = append(backends, openRedis(t, o).Backend().(*redis.Backend))
			}
			for round := range 50 {
				key := fmt.Sprint("k", round)
				var taken atomic.Int32
				var callers sync.WaitGroup
				for caller := range 32 {
					callers.Go(func() {
						_, _, token, err := backends[caller%len(backends)].Lease(t.Context(), key, time.Minute)
						if err != nil {
							t.Error(err)
						}
						if token != "" {
							taken.Add(1)
						}
					})
				}
				callers.Wait()
				if n := taken.Load(); n != 1 {
					t.Errorf("%d callers have the lease", n)
				}
			}
		})
	}
}

// A server that refuses scripts has no leases. No further script is sent to it.
func TestRedisLeaseWithoutScripts(t *testing.T) {
	busy(t)
	addr, admin := redisAdmin(t)
	allow(t, admin, "+@all", "-@scripting")
	b := openRedis(t, redis.Options{Addr: addr, Username: "app", Password: cache.Secret("secret")}).Backend().(*redis.Backend)
	ctx := t.Context()
	for range 2 {
		if _, _, token, err := b.Lease(ctx, "p:k", time.Second); token != "" || !driver.IsUnsupported(err) {
			t.Errorf("Lease: %q, %v; want ErrUnsupported", token, err)
		}
		if swapped, err := b.CompareAndSwap(ctx, "p:k", nil, nil, 0); swapped || !driver.IsUnsupported(err) {
			t.Errorf("CompareAndSwap: %v, %v; want ErrUnsupported", swapped, err)
		}
	}
	if stats := admin.Info(ctx, "commandstats").Val(); strings.Count(stats, "cmdstat_eval:") != 1 || !strings.Contains(stats, "rejected_calls=1") {
		t.Errorf("commands: %s", stats)
	}
	admin.RPush(ctx, "p:list", "x")
	if _, err := b.Add(ctx, "p:list", nil, 0); !errors.Is(err, cache.ErrCorrupt) {
		t.Errorf("Add over a list: %v; want ErrCorrupt", err)
	}
}

// If the server is full, Fill returns ErrFull and the lease ends.
func TestRedisFillWhenFull(t *testing.T) {
	busy(t)
	addr, admin := redisAdmin(t)
	b := openRedis(t, redis.Options{Addr: addr}).Backend().(*redis.Backend)
	ctx := t.Context()
	token := leaseOf(t, b, "k")
	admin.ConfigSet(ctx, "maxmemory", "1")
	if filled, err := b.Fill(ctx, "k", token, []byte("v"), 0); filled || !errors.Is(err, cache.ErrFull) {
		t.Errorf("Fill: %v, %v; want ErrFull", filled, err)
	}
	if _, _, _, err := b.Lease(ctx, "k", time.Second); !errors.Is(err, cache.ErrFull) {
		t.Errorf("Lease: %v; want ErrFull", err)
	}
	if names := admin.Keys(ctx, "*").Val(); len(names) != 0 {
		t.Errorf("names %q", names)
	}
	if _, err := b.CompareAndSwap(ctx, "k", nil, nil, 0); err != nil {
		t.Errorf("CompareAndSwap of an absent key: %v", err)
	}
}

func TestRedisCompareAndSwap(t *testing.T) {
	busy(t)
	addr, _ := redisAdmin(t)
	b := openRedis(t, redis.Options{Addr: addr}).Backend().(*redis.Backend)
	ctx := t.Context()
	binary := []byte("a\r\n\x00\xff{}")
	for _, step := range []struct {
		old, value []byte
		swapped    bool
	}{
		{[]byte("x"), binary, false},
		{nil, binary, true},
		{binary[:3], nil, false},
		{binary, make([]byte, 1<<20), true},
		{make([]byte, 1<<20-1), nil, false},
		{make([]byte, 1<<20), nil, true},
	} {
		if _, err := b.Add(ctx, "k", nil, 0); err != nil {
			t.Fatal(err)
		}
		if swapped, err := b.CompareAndSwap(ctx, "k", step.old, step.value, time.Hour); swapped != step.swapped || err != nil {
			t.Errorf("CompareAndSwap(%.20q, %.20q) = %v, %v; want %v", step.old, step.value, swapped, err, step.swapped)
		}
	}
	if ttl, ok, err := b.TTL(ctx, "k"); ttl < 59*time.Minute || ttl > time.Hour+time.Millisecond || !ok || err != nil {
		t.Errorf("TTL = %v, %v, %v; want an hour", ttl, ok, err)
	}
}

// A value that was read from the source before a write of the key is never stored after
// it, whichever way the key is written.
func TestRedisNoStaleFill(t *testing.T) {
	busy(t)
	nodes := servers.StartRedisCluster(t, 0).Addrs
	for name, o := range map[string]redis.Options{"one server": {Addr: servers.StartRedis(t, "").Addrs[0]}, "cluster": {Cluster: nodes}} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			open := func() *redis.Backend { return openRedis(t, o).Backend().(*redis.Backend) }
			const key = "k"
			var source, floor atomic.Int64 // the current version, and the one that no reader may go below
			read := func(b *redis.Backend) (ok bool) {
				oldest := floor.Load()
				value, ok, err := b.Get(ctx, key)
				if err != nil {
					t.Error(err)
				}
				if version, _ := strconv.ParseInt(string(value), 10, 64); ok && version < oldest {
					t.Errorf("version %d is cached after version %d was written", version, oldest)
				}
				return ok
			}
			var filled, refused atomic.Int64
			done := make(chan struct{})
			var callers sync.WaitGroup
			for range 6 {
				b := open()
				callers.Go(func() {
					for {
						select {
						case <-done:
							return
						default:
						}
						if read(b) {
							continue
						}
						_, _, token, err := b.Lease(ctx, key, time.Minute)
						if err != nil {
							t.Error(err)
						}
						if token == "" {
							continue
						}
						loaded := strconv.FormatInt(source.Load(), 10)
						read(b) // takes time
						ok, err := b.Fill(ctx, key, token, []byte(loaded), time.Hour)
						switch {
						case err != nil:
							t.Error(err)
						case ok:
							filled.Add(1)
						default:
							refused.Add(1)
						}
					}
				})
			}
			writer := open()
			for i := int64(1); i < 4000; i++ {
				source.Store(i)
				var err error
				switch i % 8 {
				case 0:
					err = writer.ClearPrefix(ctx, key)
				case 1:
					_, err = writer.DeleteMany(ctx, []string{"other", key})
				case 2:
					err = writer.Set(ctx, key, []byte(strconv.FormatInt(i, 10)), 2*time.Millisecond)
				default:
					_, err = writer.Delete(ctx, key)
				}
				if err != nil {
					t.Error(err)
				}
				floor.Store(i)
				for range i % 5 {
					read(writer)
				}
			}
			close(done)
			callers.Wait()
			if filled.Load() == 0 || refused.Load() == 0 {
				t.Errorf("%d fills, %d refused: nothing was tried", filled.Load(), refused.Load())
			}
		})
	}
}
