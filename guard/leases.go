package guard

import (
	"context"
	"time"
)

// Lease returns the value of key, or a token if the caller may load it.
func (b *Backend) Lease(ctx context.Context, key string, hold time.Duration) (value []byte, ok bool, token string, err error) {
	return three(ctx, b, key, func(ctx context.Context) ([]byte, bool, string, error) { return b.Operations.Lease(ctx, key, hold) })
}

// Fill stores value if token is the lease of key.
func (b *Backend) Fill(ctx context.Context, key, token string, value []byte, ttl time.Duration) (filled bool, err error) {
	return one(ctx, b, key, func(ctx context.Context) (bool, error) { return b.Operations.Fill(ctx, key, token, value, ttl) })
}

// Release ends the lease of key.
func (b *Backend) Release(ctx context.Context, key, token string) error {
	return b.call(ctx, key, func(ctx context.Context) error {
		return b.Operations.Release(ctx, key, token)
	})
}

// CompareAndSwap replaces the value of key if it equals old.
func (b *Backend) CompareAndSwap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (swapped bool, err error) {
	return one(ctx, b, key, func(ctx context.Context) (bool, error) { return b.Operations.CompareAndSwap(ctx, key, old, value, ttl) })
}
