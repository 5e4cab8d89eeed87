package guard

import (
	"context"
	"time"
)

// This file has the operations on one key, and those on the whole store.

// Get returns the value of key.
func (b *Backend) Get(ctx context.Context, key string) (value []byte, ok bool, err error) {
	err = b.call(ctx, key, func(ctx context.Context) (err error) {
		value, ok, err = b.Operations.Get(ctx, key)
		return err
	})
	return value, ok, err
}

// GetAppend appends the value of key to dst.
func (b *Backend) GetAppend(ctx context.Context, key string, dst []byte) (extended []byte, ok bool, err error) {
	extended = dst
	err = b.call(ctx, key, func(ctx context.Context) (err error) {
		extended, ok, err = b.Operations.GetAppend(ctx, key, dst)
		return err
	})
	return extended, ok, err
}

// GetWithTTL returns the value of key with its remaining TTL.
func (b *Backend) GetWithTTL(ctx context.Context, key string) (value []byte, ttl time.Duration, ok bool, err error) {
	err = b.call(ctx, key, func(ctx context.Context) (err error) {
		value, ttl, ok, err = b.Operations.GetWithTTL(ctx, key)
		return err
	})
	return value, ttl, ok, err
}

// Has reports whether key is present.
func (b *Backend) Has(ctx context.Context, key string) (ok bool, err error) {
	err = b.call(ctx, key, func(ctx context.Context) (err error) {
		ok, err = b.Operations.Has(ctx, key)
		return err
	})
	return ok, err
}

// TTL returns the remaining TTL of key.
func (b *Backend) TTL(ctx context.Context, key string) (ttl time.Duration, ok bool, err error) {
	err = b.call(ctx, key, func(ctx context.Context) (err error) {
		ttl, ok, err = b.Operations.TTL(ctx, key)
		return err
	})
	return ttl, ok, err
}

// Set stores value under key.
func (b *Backend) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return b.call(ctx, key, func(ctx context.Context) error {
		return b.Operations.Set(ctx, key, value, ttl)
	})
}

// Add stores value only if key is absent.
func (b *Backend) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (added bool, err error) {
	err = b.call(ctx, key, func(ctx context.Context) (err error) {
		added, err = b.Operations.Add(ctx, key, value, ttl)
		return err
	})
	return added, err
}

// Inc adds delta to the integer under key.
func (b *Backend) Inc(ctx context.Context, key string, delta int64, ttl time.Duration) (sum int64, err error) {
	err = b.call(ctx, key, func(ctx context.Context) (err error) {
		sum, err = b.Operations.Inc(ctx, key, delta, ttl)
		return err
	})
	return sum, err
}

// Delete removes key.
func (b *Backend) Delete(ctx context.Context, key string) (deleted bool, err error) {
	err = b.call(ctx, key, func(ctx context.Context) (err error) {
		deleted, err = b.Operations.Delete(ctx, key)
		return err
	})
	return deleted, err
}

// Ping reports whether the store can be used. While the breaker is open, it fails.
func (b *Backend) Ping(ctx context.Context) error {
	return b.callWithin(ctx, b.whole, b.options.Budget, b.Operations.Ping)
}

// Clear removes every entry. It has no budget.
func (b *Backend) Clear(ctx context.Context) error {
	return b.callWithin(ctx, b.whole, NoBudget, b.Operations.Clear)
}

// ClearPrefix removes the entries whose key begins with prefix. It has no budget.
func (b *Backend) ClearPrefix(ctx context.Context, prefix string) error {
	return b.callWithin(ctx, b.whole, NoBudget, func(ctx context.Context) error {
		return b.Operations.ClearPrefix(ctx, prefix)
	})
}
