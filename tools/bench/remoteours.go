package main

import (
	"context"
	"os"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

// remoteBackend is a backend of ours with batches of its own.
type remoteBackend interface {
	cache.Backend
	driver.ManyGetter
	driver.ManySetter
	driver.ManyDeleter
}

// storeOf measures the bare backend.
func storeOf(b remoteBackend, err error) (remoteStore, error) {
	ctx := context.Background()
	if err != nil {
		return remoteStore{}, err
	}
	return remoteStore{
		get: func(key string) ([]byte, error) { return orMiss(b.Get(ctx, key)) },
		set: func(key string, value []byte) error { return b.Set(ctx, key, value, life) },
		getMany: func(keys []string) (found int, err error) {
			values, err := b.GetMany(ctx, keys)
			for _, value := range values {
				if value != nil {
					found++
				}
			}
			return found, err
		},
		setMany: func(keys []string, value []byte) func() error {
			items := make([]driver.Item, len(keys))
			for i, key := range keys {
				items[i] = driver.Item{Key: key, Value: value}
			}
			return func() error { return b.SetMany(ctx, items, life) }
		},
		deleteMany: func(keys []string) (found int, err error) {
			deleted, err := b.DeleteMany(ctx, keys)
			for _, was := range deleted {
				if was {
					found++
				}
			}
			return found, err
		},
		close: func() { b.Close() },
	}, nil
}

// storeOfCache measures the same through Cache.
func storeOfCache(b cache.Backend, err error) (remoteStore, error) {
	ctx := context.Background()
	if err != nil {
		return remoteStore{}, err
	}
	c := cache.New(b, cache.WithDefaultTimeout(life))
	return remoteStore{
		get: func(key string) ([]byte, error) { return orMiss(c.Get(ctx, key)) },
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
		close: func() { c.Close() },
	}, nil
}

func orMiss(value []byte, ok bool, err error) ([]byte, error) {
	if err == nil && !ok {
		err = os.ErrNotExist
	}
	return value, err
}
