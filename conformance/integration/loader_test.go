package integration

import (
	"context"
	"crypto/rand"
	"testing"

	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/filesystem"
	"github.com/cachebackends/cachebackends/gcs"
	"github.com/cachebackends/cachebackends/loader"
	"github.com/cachebackends/cachebackends/loader/loadertest"
	"github.com/cachebackends/cachebackends/memcached"
	"github.com/cachebackends/cachebackends/redis"
	"github.com/cachebackends/cachebackends/simple"
	"github.com/cachebackends/cachebackends/uwsgi"
)

// The rules of package loader over simple, with values that are encoded and not.
func TestLoaderSimple(t *testing.T) {
	busy(t)
	for name, options := range map[string][]cache.ViewOption{
		"encoded": nil,
		"kept":    {cache.WithoutEncoding()},
	} {
		t.Run(name, func(t *testing.T) {
			loadertest.Run(t, loadertest.Harness{Bubble: true, Options: options, New: func(t *testing.T) (one, other *cache.Cache) {
				b, err := simple.New(t.Context(), simple.Options{})
				one = opened(t, b, err)
				return one, one
			}})
		})
	}
}

// loaders runs the rules in real time. open opens a handle of the store. The handles of
// each rule have a prefix of their own.
func loaders(t *testing.T, open func(t *testing.T) (cache.Backend, error)) {
	loadertest.Run(t, loadertest.Harness{New: func(t *testing.T) (one, other *cache.Cache) {
		prefix := rand.Text() + ":"
		handle := func() *cache.Cache {
			b, err := open(t)
			if err != nil {
				t.Fatal(err)
			}
			c := cache.New(b, cache.WithPrefix(prefix))
			t.Cleanup(func() { c.Close() })
			return c
		}
		return handle(), handle()
	}})
}

func TestLoaderFilesystem(t *testing.T) {
	timed(t)
	dir := t.TempDir()
	loaders(t, func(t *testing.T) (cache.Backend, error) {
		return filesystem.New(t.Context(), filesystem.Options{Dir: dir})
	})
}

func TestLoaderRedis(t *testing.T) {
	timed(t)
	addr := servers.StartRedis(t, "").Addrs[0]
	loaders(t, func(t *testing.T) (cache.Backend, error) {
		return redis.New(t.Context(), patientRedis(redis.Options{Addr: addr}))
	})
}

func TestLoaderRedisCluster(t *testing.T) {
	timed(t)
	addrs := servers.StartRedisCluster(t, 0).Addrs
	loaders(t, func(t *testing.T) (cache.Backend, error) {
		return redis.New(t.Context(), patientRedis(redis.Options{Cluster: addrs}))
	})
}

func TestLoaderMemcached(t *testing.T) {
	timed(t)
	addrs := servers.StartMemcached(t, 1, "").Addrs
	loaders(t, func(t *testing.T) (cache.Backend, error) {
		return memcached.New(t.Context(), patientMemcached(memcached.Options{Servers: addrs}))
	})
}

func TestLoaderUwsgi(t *testing.T) {
	timed(t)
	addr := servers.StartUwsgi(t, "").Addr
	loaders(t, func(t *testing.T) (cache.Backend, error) {
		return uwsgi.New(t.Context(), uwsgi.Options{Addr: addr, MaxValue: servers.UwsgiBlockSize, DialTimeout: slowMachine, ReadTimeout: slowMachine, WriteTimeout: slowMachine})
	})
}

func TestLoaderGCS(t *testing.T) {
	timed(t)
	endpoint, newBucket := startGCS(t)
	newBucket("loaders")
	loaders(t, func(t *testing.T) (cache.Backend, error) {
		return gcs.New(t.Context(), gcs.Options{Bucket: "loaders", Endpoint: endpoint, Anonymous: true})
	})
}

// A hit of a value without encoding costs little more than a hit of a view, and allocates
// nothing.
func BenchmarkLoaderHit(b *testing.B) {
	ctx := b.Context()
	backend, err := simple.New(ctx, simple.Options{})
	if err != nil {
		b.Fatal(err)
	}
	c := cache.New(backend)
	defer c.Close()
	view := cache.Of[string](c, cache.WithoutEncoding())
	if err := view.Set(ctx, "view", "value"); err != nil {
		b.Fatal(err)
	}
	l := loader.New(c, loader.Policy{Fresh: cache.DefaultTimeout}, func(context.Context, string) (string, error) {
		return "value", nil
	}, cache.WithoutEncoding())
	defer l.Close()
	if _, err := l.Get(ctx, "loader"); err != nil {
		b.Fatal(err)
	}
	b.Run("view", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _, _ = view.Get(ctx, "view")
		}
	})
	b.Run("loader", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = l.Get(ctx, "loader")
		}
	})
}
