package gcs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// GetMany reads each object with a request of its own, Options.Concurrency at a time:
// the service has no request that reads several. An invalid key fails the batch before
// anything is read.
func (b *Backend) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	values := make([][]byte, len(keys))
	err := b.each(keys, func(i int) error {
		value, ok, err := b.Get(ctx, keys[i])
		if ok {
			values[i] = value
		}
		return err
	})
	return values, err
}

// SetMany stores each object with a request of its own, Options.Concurrency at a time.
// An invalid key fails the batch before anything is stored.
func (b *Backend) SetMany(ctx context.Context, items []cache.Item, ttl time.Duration) error {
	keys := make([]string, len(items))
	for i, item := range items {
		keys[i] = item.Key
	}
	return b.each(keys, func(i int) error { return b.Set(ctx, keys[i], items[i].Value, ttl) })
}

// DeleteMany removes each object as Delete does, Options.Concurrency at a time. An
// invalid key fails the batch before anything is removed.
func (b *Backend) DeleteMany(ctx context.Context, keys []string) ([]bool, error) {
	deleted := make([]bool, len(keys))
	err := b.each(keys, func(i int) (err error) {
		deleted[i], err = b.Delete(ctx, keys[i])
		return err
	})
	return deleted, err
}

// each calls do for every key, unless a key is invalid, and returns a
// [cache.BatchError] of the keys that failed.
func (b *Backend) each(keys []string, do func(i int) error) error {
	errs := make([]error, len(keys))
	for i, key := range keys {
		_, errs[i] = b.object(key)
	}
	if err := batchError(keys, errs); err != nil {
		return err
	}
	return batchError(keys, b.parallel(len(keys), do))
}

// parallel calls do for 0 to n-1, Options.Concurrency at a time. After an error that
// the others would meet too, it skips what has not begun.
func (b *Backend) parallel(n int, do func(i int) error) []error {
	errs := make([]error, n)
	var next atomic.Int64
	var ended atomic.Pointer[error]
	var workers sync.WaitGroup
	for range min(b.concurrency, n) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if cause := ended.Load(); cause != nil {
					errs[i] = fmt.Errorf("skipped after another key failed: %w", *cause)
				} else if errs[i] = do(i); endsBatch(errs[i]) {
					ended.CompareAndSwap(nil, &errs[i])
				}
			}
		})
	}
	workers.Wait()
	return errs
}

// endsBatch reports whether err is an outage, not the fault of one key.
func endsBatch(err error) bool {
	return errors.Is(err, cache.ErrClosed) || errors.Is(err, cache.ErrUnavailable) || errors.Is(err, cache.ErrAuth) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// batchError names the keys that failed.
func batchError(keys []string, errs []error) error {
	var failed cache.BatchError
	for i, err := range errs {
		if err != nil {
			failed.Fail(keys[i], err)
		}
	}
	return failed.ErrorOrNil()
}
