package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/memcached"
	"github.com/cachebackends/cachebackends/redis"
	"github.com/cachebackends/cachebackends/simple"
)

// user is a value that a program would keep.
type user struct {
	ID      int64    `json:"id"`
	Name    string   `json:"name"`
	Email   string   `json:"email"`
	Roles   []string `json:"roles"`
	Created int64    `json:"created"`
}

var someUser = user{42, "Ada Lovelace", "ada@example.org", []string{"admin", "author"}, 1_700_000_000}

// viewPeer is one way through Cache to a backend.
type viewPeer struct {
	name   string
	lacks  string
	memory bool // only where the backend keeps values as they are
	open   func(b cache.Backend, c *cache.Cache) (get, set func(key string) error)
}

// viewPeers returns what the others are compared with first.
func viewPeers() []viewPeer {
	ctx := context.Background()
	value := make([]byte, valueSize)
	return []viewPeer{
		{"bare", "all that Cache does: Get and Set of the backend", false, func(b cache.Backend, _ *cache.Cache) (get, set func(string) error) {
			return func(key string) error { _, ok, err := b.Get(ctx, key); return miss(ok, err) },
				func(key string) error { return b.Set(ctx, key, value, life) }
		}},
		{"bare-kept", "the same: GetValue and SetValue", true, func(b cache.Backend, _ *cache.Cache) (get, set func(string) error) {
			keeper, kept := b.(driver.ValueKeeper), any(&someUser)
			return func(key string) error { _, ok, err := keeper.GetValue(ctx, key); return miss(ok, err) },
				func(key string) error { return keeper.SetValue(ctx, key, kept, life) }
		}},
		{"cache", "nothing: Cache.Get and Cache.Set copy bytes", false, func(_ cache.Backend, c *cache.Cache) (get, set func(string) error) {
			return func(key string) error { _, ok, err := c.Get(ctx, key); return miss(ok, err) },
				func(key string) error { return c.Set(ctx, key, value) }
		}},
		{"cache-append", "nothing: Cache.GetAppend copies into the caller's buffer", false, func(_ cache.Backend, c *cache.Cache) (get, set func(string) error) {
			buffer := make([]byte, 0, valueSize)
			return func(key string) error { _, ok, err := c.GetAppend(ctx, key, buffer); return miss(ok, err) },
				func(key string) error { return c.Set(ctx, key, value) }
		}},
		{"view-bytes", "nothing: cache.Of[[]byte](c)", false, throughView(value)},
		{"view-bytes-kept", "nothing: the same WithoutEncoding", true, throughView(value, cache.WithoutEncoding())},
		{"view-user", "nothing: cache.Of[user](c), a struct as JSON", false, throughView(someUser)},
		{"view-user-kept", "nothing: cache.Of[*user](c, cache.WithoutEncoding())", true, throughView(&someUser, cache.WithoutEncoding())},
	}
}

func throughView[T any](value T, options ...cache.ViewOption) func(cache.Backend, *cache.Cache) (get, set func(string) error) {
	return func(_ cache.Backend, c *cache.Cache) (get, set func(string) error) {
		ctx, view := context.Background(), cache.Of[T](c, options...)
		return func(key string) error { _, ok, err := view.Get(ctx, key); return miss(ok, err) },
			func(key string) error { return view.Set(ctx, key, value) }
	}
}

func miss(ok bool, err error) error {
	if err == nil && !ok {
		return os.ErrNotExist
	}
	return err
}

// viewSeries are the way from a typed value to the bare backend in memory, and to
// the socket of a server.
func viewSeries() []series {
	var all []series
	for _, r := range []struct {
		name    string
		missing string
		start   func() (addr string, stop func(), err error)
		open    func(addr string) (cache.Backend, error)
	}{
		{"simple", "", startNothing, func(string) (cache.Backend, error) {
			return simple.New(context.Background(), simple.Options{})
		}},
		{"redis", redisRemote().missing, startRedis, func(addr string) (cache.Backend, error) {
			return redis.New(context.Background(), redis.Options{Addr: addr})
		}},
		{"memcached", memcachedRemote().missing, startMemcached, func(addr string) (cache.Backend, error) {
			return memcached.New(context.Background(), memcached.Options{Servers: []string{addr}})
		}},
	} {
		for _, op := range []string{"get", "set"} {
			s := series{group: "View", name: r.name, size: op, procs: []int{1}, missing: r.missing}
			var addr string
			var stop func()
			s.prepare = func() (err error) {
				addr, stop, err = r.start()
				return err
			}
			s.release = func() { stop() }
			for _, p := range viewPeers() {
				if p.memory && r.name != "simple" || p.name == "cache-append" && op == "set" {
					continue
				}
				s.lanes = append(s.lanes, lane{p.name, func() (func(*testing.B), func(), error) {
					b, err := r.open(addr)
					if err != nil {
						return nil, nil, err
					}
					return openView(p, b, op)
				}})
			}
			all = append(all, s)
		}
	}
	return all
}

func startNothing() (addr string, stop func(), err error) { return "", func() {}, nil }

func openView(p viewPeer, b cache.Backend, op string) (run func(*testing.B), close func(), err error) {
	c := cache.New(b, cache.WithDefaultTimeout(life))
	get, set := p.open(b, c)
	keys := makeKeys(0, residentKeys)
	for _, key := range keys {
		err = errors.Join(err, set(key), get(key))
	}
	if err != nil {
		c.Close()
		return nil, nil, err
	}
	step := get
	if op == "set" {
		step = set
	}
	return func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if err := step(keys[i%residentKeys]); err != nil {
				fail(b, err)
			}
		}
	}, func() { c.Close() }, nil
}

// viewGoals are about the memory of the process, where a layer shows.
func viewGoals(c *comparison, name, size string) []goal {
	if name != "simple" || size != "get" {
		return nil
	}
	var goals []goal
	for _, our := range c.only("cache-append", "view-bytes-kept", "view-user-kept") {
		bare := c.byPeer["bare"]
		if strings.HasSuffix(our.Peer, "-kept") {
			bare = c.byPeer["bare-kept"]
		}
		goals = append(goals, atMost(0, float64(our.Allocs), "%s: allocations of %s", c, our.Peer))
		if bare != nil {
			goals = append(goals, atMost(15, our.timeAbove(bare), "%s: ns of %s above %s", c, our.Peer, bare.Peer))
		}
	}
	return goals
}
