package gcs

import (
	"context"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
)

// GetMany reads each object with a request of its own, [Options.Concurrency] at a time:
// the service has no request that reads several. An invalid key fails the batch before
// anything is read.
func (b *Backend) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	values := make([][]byte, len(keys))
	err := b.each(ctx, keys, func(i int) error {
		value, ok, err := b.Get(ctx, keys[i])
		if ok {
			values[i] = value
		}
		return err
	})
	return values, err
}

// SetMany stores each object with a request of its own, [Options.Concurrency] at a time.
// An invalid key fails the batch before anything is stored.
func (b *Backend) SetMany(ctx context.Context, items []driver.Item, ttl time.Duration) error {
	keys := make([]string, len(items))
	for i, item := range items {
		keys[i] = item.Key
	}
	return b.each(ctx, keys, func(i int) error { return b.Set(ctx, keys[i], items[i].Value, ttl) })
}

// DeleteMany removes each object as Delete does, [Options.Concurrency] at a time. An
// invalid key fails the batch before anything is removed.
func (b *Backend) DeleteMany(ctx context.Context, keys []string) ([]bool, error) {
	deleted := make([]bool, len(keys))
	err := b.each(ctx, keys, func(i int) (err error) {
		deleted[i], err = b.Delete(ctx, keys[i])
		return err
	})
	return deleted, err
}

// each calls do for every key, unless a key is invalid.
func (b *Backend) each(ctx context.Context, keys []string, do func(i int) error) error {
	errs := make([]error, len(keys))
	for i, key := range keys {
		_, errs[i] = b.object(key)
	}
	if err := driver.BatchOf(keys, errs); err != nil {
		return err
	}
	return driver.BatchOf(keys, remote.Parallel(ctx, len(keys), b.options.Concurrency, do))
}
