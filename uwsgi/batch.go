package uwsgi

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// GetMany gets the keys, [Options.PoolSize] at a time: the protocol has no command
// for several keys. An invalid key fails the whole batch before anything is sent.
func (b *Backend) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	values := make([][]byte, len(keys))
	err := b.parallel(keys, func(i int) (err error) {
		values[i], _, err = b.Get(ctx, keys[i])
		return err
	})
	return values, err
}

// SetMany sets the items, [Options.PoolSize] at a time. An invalid key fails the
// whole batch before anything is sent; a value that is too large fails alone.
func (b *Backend) SetMany(ctx context.Context, items []cache.Item, ttl time.Duration) error {
	keys := make([]string, len(items))
	for i, item := range items {
		keys[i] = item.Key
	}
	return b.parallel(keys, func(i int) error {
		return b.Set(ctx, items[i].Key, items[i].Value, ttl)
	})
}

// DeleteMany deletes the keys, [Options.PoolSize] at a time. An invalid key fails
// the whole batch before anything is sent.
func (b *Backend) DeleteMany(ctx context.Context, keys []string) ([]bool, error) {
	deleted := make([]bool, len(keys))
	err := b.parallel(keys, func(i int) (err error) {
		deleted[i], err = b.Delete(ctx, keys[i])
		return err
	})
	return deleted, err
}

// parallel checks all keys and then calls do for each, several at a time. After an
// outage it skips the keys that are left.
func (b *Backend) parallel(keys []string, do func(i int) error) error {
	var failed cache.BatchError
	for _, key := range keys {
		if err := b.check(request{key: key}); err != nil {
			failed.Fail(key, err)
		}
	}
	if len(failed.Failed) > 0 {
		return &failed
	}
	errs := make([]error, len(keys))
	var next atomic.Int64
	var outage atomic.Pointer[error]
	var workers sync.WaitGroup
	for range min(len(keys), b.options.PoolSize) {
		workers.Go(func() {
			for i := int(next.Add(1) - 1); i < len(keys); i = int(next.Add(1) - 1) {
				if cause := outage.Load(); cause != nil {
					errs[i] = fmt.Errorf("%w: skipped after another key failed: %w", cache.ErrUnavailable, *cause)
					continue
				}
				errs[i] = do(i)
				if errors.Is(errs[i], cache.ErrUnavailable) || errors.Is(errs[i], cache.ErrClosed) || isTimeout(errs[i]) {
					outage.Store(&errs[i])
				}
			}
		})
	}
	workers.Wait()
	for i, err := range errs {
		if err != nil {
			failed.Fail(keys[i], err)
		}
	}
	return failed.ErrorOrNil()
}
