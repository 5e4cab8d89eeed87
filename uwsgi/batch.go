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

// GetMany asks for the keys side by side, Options.MaxConns at a time: the server
// has no command for several.
func (b *Backend) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	values := make([][]byte, len(keys))
	err := b.each(ctx, len(keys), func(i int) string { return keys[i] }, func(i int) (err error) {
		values[i], _, err = b.Get(ctx, keys[i])
		return err
	})
	return values, err
}

// SetMany is a Set for each item, side by side.
func (b *Backend) SetMany(ctx context.Context, items []cache.Item, ttl time.Duration) error {
	return b.each(ctx, len(items), func(i int) string { return items[i].Key }, func(i int) error {
		return b.Set(ctx, items[i].Key, items[i].Value, ttl)
	})
}

// DeleteMany is a Delete for each key, side by side.
func (b *Backend) DeleteMany(ctx context.Context, keys []string) ([]bool, error) {
	deleted := make([]bool, len(keys))
	err := b.each(ctx, len(keys), func(i int) string { return keys[i] }, func(i int) (err error) {
		deleted[i], err = b.Delete(ctx, keys[i])
		return err
	})
	return deleted, err
}

// each runs call for n keys, several at a time. Once the server cannot be reached
// or says nothing, it does not try the rest.
func (b *Backend) each(ctx context.Context, n int, key func(i int) string, call func(i int) error) error {
	errs := make([]error, n)
	var next atomic.Int64
	var outage atomic.Pointer[error]
	var workers sync.WaitGroup
	for range min(n, cap(b.slots)) {
		workers.Go(func() {
			for i := int(next.Add(1) - 1); i < n; i = int(next.Add(1) - 1) {
				if why := outage.Load(); why != nil {
					errs[i] = fmt.Errorf("%w: not tried, because another key met: %w", cache.ErrUnavailable, *why)
					continue
				}
				errs[i] = call(i)
				if errors.Is(errs[i], cache.ErrUnavailable) || errors.Is(errs[i], cache.ErrClosed) || isTimeout(errs[i]) {
					outage.Store(&errs[i])
				}
			}
		})
	}
	workers.Wait()
	var failed cache.BatchError
	for i, err := range errs {
		if err != nil {
			failed.Fail(key(i), err)
		}
	}
	return failed.ErrorOrNil()
}
