package gcs

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// GetMany reads each object, several at a time: the service has no read of many.
func (b *Backend) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	values := make([][]byte, len(keys))
	errs := b.parallel(len(keys), func(i int) error {
		value, ok, err := b.Get(ctx, keys[i])
		if ok {
			values[i] = value
		}
		return err
	})
	return values, batchError(keys, errs)
}

// SetMany stores each object, several at a time. A key that cannot be the name of
// an object stores nothing at all.
func (b *Backend) SetMany(ctx context.Context, items []cache.Item, ttl time.Duration) error {
	keys := make([]string, len(items))
	for i, item := range items {
		keys[i] = item.Key
	}
	if err := b.checkAll(keys); err != nil {
		return err
	}
	return batchError(keys, b.parallel(len(items), func(i int) error { return b.Set(ctx, keys[i], items[i].Value, ttl) }))
}

// DeleteMany asks for the expiry of up to 100 objects in one request and removes
// those that are there in another. A key that cannot be the name of an object removes
// nothing at all.
func (b *Backend) DeleteMany(ctx context.Context, keys []string) ([]bool, error) {
	deleted := make([]bool, len(keys))
	if err := b.checkAll(keys); err != nil {
		return deleted, err
	}
	if b.direct != nil {
		return deleted, batchError(keys, b.deleteChunks(ctx, keys, deleted))
	}
	return deleted, batchError(keys, b.deleteEach(ctx, keys, deleted))
}

func (b *Backend) deleteEach(ctx context.Context, keys []string, deleted []bool) []error {
	return b.parallel(len(keys), func(i int) (err error) {
		deleted[i], err = b.Delete(ctx, keys[i])
		return err
	})
}

// checkAll names the keys that cannot be names of objects.
func (b *Backend) checkAll(keys []string) error {
	errs := make([]error, len(keys))
	for i, key := range keys {
		_, errs[i] = b.object(key)
	}
	return batchError(keys, errs)
}

// parallel calls do n times, several at a time. What would fail for all that
// follow is not tried again.
func (b *Backend) parallel(n int, do func(i int) error) []error {
	errs := make([]error, n)
	var next atomic.Int64
	var fatal atomic.Pointer[error]
	var workers sync.WaitGroup
	for range min(b.concurrency, n) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if ended := fatal.Load(); ended != nil {
					errs[i] = *ended
				} else if errs[i] = do(i); endsBatch(errs[i]) {
					fatal.CompareAndSwap(nil, &errs[i])
				}
			}
		})
	}
	workers.Wait()
	return errs
}

func endsBatch(err error) bool {
	return errors.Is(err, cache.ErrClosed) || errors.Is(err, cache.ErrUnavailable) || errors.Is(err, cache.ErrAuth)
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
