package memory

import (
	"context"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/loader"
	"github.com/cachebackends/cachebackends/simple"

	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

var ctx = context.Background()

func openSimple(capacity, _ int) store {
	b := must(simple.New(ctx, simple.Options{Threshold: capacity}))
	return store{
		get:   func(key string) ([]byte, bool) { return present(b.Get(ctx, key)) },
		set:   func(key string, value []byte) { b.Set(ctx, key, value, workload.Life) },
		close: func() { b.Close() },
	}
}

func present(value []byte, ok bool, _ error) ([]byte, bool) { return value, ok }

// throughCache opens what as describes on a Cache over simple.
func throughCache(as func(c *cache.Cache, valueSize int) store, options ...cache.Option) func(capacity, valueSize int) store {
	return func(capacity, valueSize int) store {
		c := cache.New(must(simple.New(ctx, simple.Options{Threshold: capacity})), append([]cache.Option{cache.WithDefaultTimeout(workload.Life)}, options...)...)
		s := as(c, valueSize)
		if s.set == nil {
			s.set = func(key string, value []byte) { c.Set(ctx, key, value) }
		}
		s.close = func() { c.Close() }
		return s
	}
}

func view(c *cache.Cache, _ int) store {
	v := cache.Of[[]byte](c, cache.WithoutEncoding())
	return store{
		get: func(key string) ([]byte, bool) { return present(v.Get(ctx, key)) },
		set: func(key string, value []byte) { v.Set(ctx, key, value) },
	}
}

// loading and getOrSet have no source: everything is stored before it is read.
func loading(c *cache.Cache, _ int) store {
	policy := loader.Policy{Fresh: workload.Life / 2, Stale: workload.Life / 4, Rescue: workload.Life / 4, Lease: time.Second}
	var value []byte // to store
	l := loader.New(c, policy, func(context.Context, string) ([]byte, error) {
		if value == nil {
			return nil, loader.ErrMissing
		}
		return value, nil
	}, cache.WithoutEncoding())
	return store{
		get: func(key string) ([]byte, bool) { return found(l.Get(ctx, key)) },
		set: func(key string, v []byte) {
			value = v
			l.Refresh(ctx, key)
			value = nil
		},
	}
}

func getOrSet(c *cache.Cache, _ int) store {
	v := cache.Of[[]byte](c, cache.WithoutEncoding())
	load := func(context.Context) ([]byte, error) { return nil, loader.ErrMissing }
	return store{
		get: func(key string) ([]byte, bool) { return found(v.GetOrSet(ctx, key, load)) },
		set: func(key string, value []byte) { v.Set(ctx, key, value) },
	}
}

func text(c *cache.Cache, _ int) store {
	v := cache.Of[string](c)
	return store{get: func(key string) ([]byte, bool) {
		value, ok, _ := v.Get(ctx, key)
		return unsafeBytes(value), ok
	}}
}

func fresh(c *cache.Cache, _ int) store {
	return store{get: func(key string) ([]byte, bool) { return present(c.Get(ctx, key)) }}
}

func buffered(c *cache.Cache, valueSize int) store {
	return store{reader: func() func(string) ([]byte, bool) {
		buffer := make([]byte, 0, valueSize)
		return func(key string) ([]byte, bool) { return present(c.GetAppend(ctx, key, buffer)) }
	}}
}
