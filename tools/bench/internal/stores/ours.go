package stores

import (
	cache "github.com/cachebackends/cachebackends/core"

	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

// through measures a backend as programs use it.
func through(b cache.Backend, err error) (store, error) {
	if err != nil {
		return store{}, err
	}
	c := cache.New(b, cache.WithDefaultTimeout(workload.Life))
	return store{
		get: func(key string) ([]byte, error) { return hit(c.Get(ctx, key)) },
		set: func(key string, value []byte) error { return c.Set(ctx, key, value) },
		getMany: func(keys []string) (found int, err error) {
			results, err := c.GetMany(ctx, keys...)
			for _, r := range results {
				if r.OK {
					found++
				}
			}
			return found, err
		},
		setMany: func(keys []string, value []byte) func() error {
			items := map[string][]byte{}
			for _, key := range keys {
				items[key] = value
			}
			return func() error { return c.SetMany(ctx, items) }
		},
		deleteMany: func(keys []string) (int, error) {
			deleted, err := c.DeleteMany(ctx, keys...)
			return len(deleted), err
		},
		clear: func() error { return c.Clear(ctx) },
		close: func() { c.Close() },
	}, nil
}
