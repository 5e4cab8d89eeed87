package guard

import (
	"context"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// GetMany returns one value per key, nil for a miss.
func (b *Backend) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	values := make([][]byte, len(keys))
	err := b.batch(ctx, keys, func(ctx context.Context, at []int) error {
		got, err := b.Operations.GetMany(ctx, pick(keys, at))
		place(values, at, got)
		return err
	})
	return values, err
}

// GetManyWithTTL returns one value per key, nil for a miss, and the remaining TTLs.
func (b *Backend) GetManyWithTTL(ctx context.Context, keys []string) ([][]byte, []time.Duration, error) {
	values, ttls := make([][]byte, len(keys)), make([]time.Duration, len(keys))
	err := b.batch(ctx, keys, func(ctx context.Context, at []int) error {
		got, left, err := b.Operations.GetManyWithTTL(ctx, pick(keys, at))
		place(values, at, got)
		place(ttls, at, left)
		return err
	})
	return values, ttls, err
}

// SetMany stores items with one ttl.
func (b *Backend) SetMany(ctx context.Context, items []driver.Item, ttl time.Duration) error {
	keys := make([]string, len(items))
	for i, item := range items {
		keys[i] = item.Key
	}
	return b.batch(ctx, keys, func(ctx context.Context, at []int) error {
		return b.Operations.SetMany(ctx, pick(items, at), ttl)
	})
}

// DeleteMany removes keys; deleted[i] reports whether keys[i] was present.
func (b *Backend) DeleteMany(ctx context.Context, keys []string) ([]bool, error) {
	deleted := make([]bool, len(keys))
	err := b.batch(ctx, keys, func(ctx context.Context, at []int) error {
		got, err := b.Operations.DeleteMany(ctx, pick(keys, at))
		place(deleted, at, got)
		return err
	})
	return deleted, err
}

// pick returns the elements of all at the indexes, all of them if at is nil.
func pick[T any](all []T, at []int) []T {
	if at == nil {
		return all
	}
	picked := make([]T, len(at))
	for i, index := range at {
		picked[i] = all[index]
	}
	return picked
}

// place is the reverse of pick. got is shorter after an error.
func place[T any](all []T, at []int, got []T) {
	if at == nil {
		copy(all, got)
		return
	}
	for i, index := range at[:min(len(at), len(got))] {
		all[index] = got[i]
	}
}
