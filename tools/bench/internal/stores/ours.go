package stores

import (
	"os"

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
		get: func(key string) ([]byte, error) {
			value, ok, err := c.Get(ctx, key)
			if err == nil && !ok {
				err = os.ErrNotExist
			}
			return value, err
		},
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

// singles is a client that has no batches: they are loops.
func singles(get func(key string) ([]byte, error), set func(key string, value []byte) error, remove func(key string) error, close func()) store {
	return store{
		get: get, set: set, close: close,
		getMany: func(keys []string) (found int, err error) {
			for _, key := range keys {
				if _, err := get(key); err != nil {
					return found, err
				}
				found++
			}
			return found, nil
		},
		setMany: func(keys []string, value []byte) func() error {
			return func() error {
				for _, key := range keys {
					if err := set(key, value); err != nil {
						return err
					}
				}
				return nil
			}
		},
		deleteMany: func(keys []string) (found int, err error) {
			for _, key := range keys {
				if err := remove(key); err != nil {
					return found, err
				}
				found++
			}
			return found, nil
		},
	}
}
