package stores

import (
	"github.com/cachebackends/cachebackends/simple"

	cache "github.com/cachebackends/cachebackends/core"

	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
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

// Views are the ways from a program to simple.
var Views = Kind{start: noServer, procs: []int{1}, peers: []peer{
	way("bare", "all that Cache does: Get and Set of the backend", func(b *simple.Backend, _ *cache.Cache) store {
		return store{
			get: func(key string) ([]byte, error) { return hit(b.Get(ctx, key)) },
			set: func(key string, value []byte) error { return b.Set(ctx, key, value, workload.Life) },
		}
	}),
	way("bare-kept", "the same: GetValue and SetValue", func(b *simple.Backend, _ *cache.Cache) store {
		kept := any(&someUser)
		return store{
			get: func(key string) ([]byte, error) { _, ok, err := b.GetValue(ctx, key); return hit(nil, ok, err) },
			set: func(key string, _ []byte) error { return b.SetValue(ctx, key, kept, workload.Life) },
		}
	}),
	way("cache", "nothing: Cache.Get and Cache.Set copy bytes", func(_ *simple.Backend, c *cache.Cache) store {
		return store{
			get: func(key string) ([]byte, error) { return hit(c.Get(ctx, key)) },
			set: func(key string, value []byte) error { return c.Set(ctx, key, value) },
		}
	}),
	way("cache-append", "nothing: Cache.GetAppend copies into the caller's buffer", func(_ *simple.Backend, c *cache.Cache) store {
		buffer := make([]byte, 0, workload.ValueSize)
		return store{
			get: func(key string) ([]byte, error) { return hit(c.GetAppend(ctx, key, buffer)) },
			set: func(key string, value []byte) error { return c.Set(ctx, key, value) },
		}
	}),
	view("view-bytes", "nothing: cache.Of[[]byte](c)", make([]byte, workload.ValueSize)),
	view("view-bytes-kept", "nothing: the same WithoutEncoding", make([]byte, workload.ValueSize), cache.WithoutEncoding()),
	view("view-string", "nothing: cache.Of[string](c)", string(make([]byte, workload.ValueSize))),
	view("view-user", "nothing: cache.Of[user](c), a struct as JSON", someUser),
	view("view-user-kept", "nothing: cache.Of[*user](c, cache.WithoutEncoding())", &someUser, cache.WithoutEncoding()),
}}

func view[T any](name, lacks string, value T, options ...cache.ViewOption) peer {
	return way(name, lacks, func(_ *simple.Backend, c *cache.Cache) store {
		v := cache.Of[T](c, options...)
		return store{
			get: func(key string) ([]byte, error) { _, ok, err := v.Get(ctx, key); return hit(nil, ok, err) },
			set: func(key string, _ []byte) error { return v.Set(ctx, key, value) },
		}
	})
}

func way(name, lacks string, open func(*simple.Backend, *cache.Cache) store) peer {
	return peer{name, lacks, true, func(string) (store, error) {
		b, err := simple.New(ctx, simple.Options{})
		if err != nil {
			return store{}, err
		}
		c := cache.New(b, cache.WithDefaultTimeout(workload.Life))
		s := open(b, c)
		s.close = func() { c.Close() }
		return s, nil
	}}
}

func noServer() (addr string, stop func(), err error) { return "", func() {}, nil }
