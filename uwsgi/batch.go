package uwsgi

import (
	"context"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
)

// GetMany gets the keys, [Options.PoolSize] at a time: the protocol has no command
// for several keys. An invalid key fails the whole batch before anything is sent.
func (b *Backend) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	values := make([][]byte, len(keys))
	err := b.parallel(ctx, keys, func(i int) (err error) {
		values[i], _, err = b.Get(ctx, keys[i])
		return err
	})
	return values, err
}

// SetMany sets the items, [Options.PoolSize] at a time. An invalid key fails the
// whole batch before anything is sent; a value that is too large fails alone.
func (b *Backend) SetMany(ctx context.Context, items []driver.Item, ttl time.Duration) error {
	keys := make([]string, len(items))
	for i, item := range items {
		keys[i] = item.Key
	}
	return b.parallel(ctx, keys, func(i int) error {
		return b.Set(ctx, keys[i], items[i].Value, ttl)
	})
}

// DeleteMany deletes the keys, [Options.PoolSize] at a time. An invalid key fails
// the whole batch before anything is sent.
func (b *Backend) DeleteMany(ctx context.Context, keys []string) ([]bool, error) {
	deleted := make([]bool, len(keys))
	err := b.parallel(ctx, keys, func(i int) (err error) {
		deleted[i], err = b.Delete(ctx, keys[i])
		return err
	})
	return deleted, err
}

// parallel checks all keys and then calls do for each.
func (b *Backend) parallel(ctx context.Context, keys []string, do func(i int) error) error {
	errs := make([]error, len(keys))
	for i, key := range keys {
		errs[i] = b.check(request{key: key})
	}
	if err := driver.BatchOf(keys, errs); err != nil {
		return err
	}
	return driver.BatchOf(keys, remote.Parallel(ctx, len(keys), b.options.PoolSize, do))
}
