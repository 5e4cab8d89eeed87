package guard

import (
	"context"
	"time"
)

// This file has the operations on one key, and those on the whole store.

// Get returns the value of key.
func (b *Backend) Get(ctx context.Context, key string) (value []byte, ok bool, err error) {
	return two(ctx, b, key, func(ctx context.Context) ([]byte, bool, error) { return b.Operations.Get(ctx, key) })
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
	return three(ctx, b, key, func(ctx context.Context) ([]byte, time.Duration, bool, error) {
		return b.Operations.GetWithTTL(ctx, key)
	})
}

// Has reports whether key is present.
func (b *Backend) Has(ctx context.Context, key string) (ok bool, err error) {
	return one(ctx, b, key, func(ctx context.Context) (bool, error) { return b.Operations.Has(ctx, key) })
}

// TTL returns the remaining TTL of key.
func (b *Backend) TTL(ctx context.Context, key string) (ttl time.Duration, ok bool, err error) {
	return two(ctx, b, key, func(ctx context.Context) (time.Duration, bool, error) { return b.Operations.TTL(ctx, key) })
}

// Set stores value under key.
func (b *Backend) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return b.call(ctx, key, func(ctx context.Context) error {
		return b.Operations.Set(ctx, key, value, ttl)
	})
}

// Add stores value only if key is absent.
func (b *Backend) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (added bool, err error) {
	return one(ctx, b, key, func(ctx context.Context) (bool, error) { return b.Operations.Add(ctx, key, value, ttl) })
}

// Inc adds delta to the integer under key.
func (b *Backend) Inc(ctx context.Context, key string, delta int64, ttl time.Duration) (sum int64, err error) {
	return one(ctx, b, key, func(ctx context.Context) (int64, error) { return b.Operations.Inc(ctx, key, delta, ttl) })
}

// Delete removes key.
func (b *Backend) Delete(ctx context.Context, key string) (deleted bool, err error) {
	return one(ctx, b, key, func(ctx context.Context) (bool, error) { return b.Operations.Delete(ctx, key) })
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
