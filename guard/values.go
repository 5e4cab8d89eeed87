package guard

import (
	"context"
	"time"
)

// This file has the operations on Go values that are kept without encoding, for a
// guarded backend that keeps some values in the process.

// GetValue returns the Go value of key.
func (b *Backend) GetValue(ctx context.Context, key string) (value any, ok bool, err error) {
	return two(ctx, b, key, func(ctx context.Context) (any, bool, error) { return b.Operations.GetValue(ctx, key) })
}

// SetValue stores a Go value.
func (b *Backend) SetValue(ctx context.Context, key string, value any, ttl time.Duration) error {
	return b.call(ctx, key, func(ctx context.Context) error {
		return b.Operations.SetValue(ctx, key, value, ttl)
	})
}

// AddValue stores a Go value only if key is absent.
func (b *Backend) AddValue(ctx context.Context, key string, value any, ttl time.Duration) (added bool, err error) {
	return one(ctx, b, key, func(ctx context.Context) (bool, error) { return b.Operations.AddValue(ctx, key, value, ttl) })
}

// LeaseValue is Lease for Go values.
func (b *Backend) LeaseValue(ctx context.Context, key string, hold time.Duration) (value any, ok bool, token string, err error) {
	return three(ctx, b, key, func(ctx context.Context) (any, bool, string, error) { return b.Operations.LeaseValue(ctx, key, hold) })
}

// FillValue is Fill for Go values.
func (b *Backend) FillValue(ctx context.Context, key, token string, value any, ttl time.Duration) (filled bool, err error) {
	return one(ctx, b, key, func(ctx context.Context) (bool, error) { return b.Operations.FillValue(ctx, key, token, value, ttl) })
}

// CompareAndSwapValue is CompareAndSwap for Go values.
func (b *Backend) CompareAndSwapValue(ctx context.Context, key string, old, value any, ttl time.Duration) (swapped bool, err error) {
	return one(ctx, b, key, func(ctx context.Context) (bool, error) {
		return b.Operations.CompareAndSwapValue(ctx, key, old, value, ttl)
	})
}
