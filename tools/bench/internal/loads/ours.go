package loads

import (
	"context"
	"os"
	"slices"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/filesystem"
	"github.com/cachebackends/cachebackends/loader"
	"github.com/cachebackends/cachebackends/memcached"
	"github.com/cachebackends/cachebackends/redis"
	"github.com/cachebackends/cachebackends/simple"

	"github.com/cachebackends/cachebackends/tools/bench/internal/stores"
	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

var ctx = context.Background()

// leased is left out of outages: callers see what they see without the lease.
const leased = "GetOrSet-lease"

var ours = []way{
	{name: "GetOrSet", lacks: "one load over all processes; old values while one is loaded or the source is down", ours: true, open: getOrSet()},
	{name: leased, lacks: "old values while one is loaded or the source is down", ours: true, open: getOrSet(cache.Lease(hold))},
	{name: "loader", lacks: "nothing: Stale, Rescue, Backoff and Lease are set", ours: true, open: openLoader},
}

// roundTrip is what a hit costs the same callers.
var roundTrip = way{name: "round-trip", lacks: "loads: View.Get of a value that does not expire", ours: true, never: true, open: openRoundTrip}

// places have our ways before those of others.
var places = []place{
	{
		name: "simple",
		Kind: stores.Kind{Start: func() (string, func(), error) { return "", func() {}, nil }},
		open: func(string) func() (cache.Backend, error) {
			b, err := simple.New(ctx, simple.Options{}) // the processes are caches over one backend
			return func() (cache.Backend, error) { return b, err }
		},
		ways: slices.Concat(ours, []way{otterLoading, sturdycFetching}),
	},
	{
		name: "redis",
		Kind: stores.Redis,
		open: func(addr string) func() (cache.Backend, error) {
			return func() (cache.Backend, error) { return redis.New(ctx, redis.Options{Addr: addr}) }
		},
		ways: slices.Concat(ours, []way{roundTrip, rueidisAside, gocacheLoadable}),
	},
	{
		name: "memcached",
		Kind: stores.Memcached,
		slow: true,
		open: func(addr string) func() (cache.Backend, error) {
			return func() (cache.Backend, error) {
				return memcached.New(ctx, memcached.Options{Servers: []string{addr}})
			}
		},
		ways: slices.Concat(ours, []way{roundTrip}),
	},
	{
		name: "filesystem",
		Kind: stores.Files(os.TempDir(), 0),
		open: func(addr string) func() (cache.Backend, error) {
			return func() (cache.Backend, error) { return filesystem.New(ctx, filesystem.Options{Dir: addr}) }
		},
		ways: slices.Concat(ours, []way{roundTrip}),
	},
}

func getOrSet(options ...cache.SetOption) func(t target) (process, error) {
	return func(t target) (process, error) {
		c, err := t.cache()
		if err != nil {
			return process{}, err
		}
		v := cache.Of[int64](c)
		return process{
			get:   func() (int64, error) { return v.GetOrSet(ctx, t.key, t.load, options...) },
			close: func() { c.Close() },
		}, nil
	}
}

func openLoader(t target) (process, error) {
	c, err := t.cache()
	if err != nil {
		return process{}, err
	}
	l := loader.New(c, loader.Policy{Fresh: fresh, Stale: 10 * fresh, Rescue: time.Hour, Backoff: backoff, Lease: hold},
		func(ctx context.Context, _ string) (int64, error) { return t.load(ctx) })
	return process{
		get:   func() (int64, error) { return l.Get(ctx, t.key) },
		close: func() { l.Close(); c.Close() },
	}, nil
}

// openRoundTrip stores a value in each process: the last one is read.
func openRoundTrip(t target) (process, error) {
	c, err := t.cache()
	if err != nil {
		return process{}, err
	}
	v := cache.Of[int64](c)
	return process{
		get: func() (int64, error) {
			value, _, err := v.Get(ctx, t.key)
			return value, err
		},
		close: func() { c.Close() },
	}, v.Set(ctx, t.key, time.Now().UnixNano(), cache.Timeout(workload.Life))
}

// cache returns that of one process. Its entries expire when they are no longer fresh,
// unless a loader says otherwise.
func (t target) cache() (*cache.Cache, error) {
	b, err := t.backend()
	if err != nil {
		return nil, err
	}
	return cache.New(b, cache.WithDefaultTimeout(fresh)), nil
}
