package tiered

import (
	"context"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Writes go to far. Before a write its key is removed near, and it is not stored near
// by anybody until the write ends. If the write succeeded, alone, the new value is then
// stored near.

// Set stores value under key.
func (b *Backend) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	start, w := time.Now(), b.near.beginWrite(key)
	defer w.end()
	err := b.far.Set(ctx, key, value, ttl)
	if err == nil {
		b.keep(&w, start, value, lifetime{ttl, true})
	}
	return err
}

// Add stores value under key if key is absent in far.
func (b *Backend) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	return b.write(key, value, ttl, func() (bool, error) { return b.far.Add(ctx, key, value, ttl) })
}

// Fill stores value under key if token is its lease in far.
func (b *Backend) Fill(ctx context.Context, key, token string, value []byte, ttl time.Duration) (bool, error) {
	return b.write(key, value, ttl, func() (bool, error) { return b.far.Fill(ctx, key, token, value, ttl) })
}

// CompareAndSwap replaces the value and the expiry of key if its value in far equals
// old.
func (b *Backend) CompareAndSwap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	return b.write(key, value, ttl, func() (bool, error) { return b.far.CompareAndSwap(ctx, key, old, value, ttl) })
}

// write calls store, which reports whether it has stored value.
func (b *Backend) write(key string, value []byte, ttl time.Duration, store func() (bool, error)) (bool, error) {
	start, w := time.Now(), b.near.beginWrite(key)
	defer w.end()
	stored, err := store()
	if stored && err == nil {
		b.keep(&w, start, value, lifetime{ttl, true})
	}
	return stored, err
}

// Inc adds delta to the integer under key in far. The sum is not kept near, because
// its remaining TTL is not known.
func (b *Backend) Inc(ctx context.Context, key string, delta int64, ttl time.Duration) (int64, error) {
	w := b.near.beginWrite(key)
	defer w.end()
	return b.far.Inc(ctx, key, delta, ttl)
}

// Delete removes key and reports whether it was present in far.
func (b *Backend) Delete(ctx context.Context, key string) (bool, error) {
	w := b.near.beginWrite(key)
	defer w.end()
	return b.far.Delete(ctx, key)
}

// SetMany stores items with one ttl. After an error no value is kept near: far stores
// nothing if a key is invalid, and the error names only that key.
func (b *Backend) SetMany(ctx context.Context, items []driver.Item, ttl time.Duration) error {
	start, writes := time.Now(), make([]call, len(items))
	for i, item := range items {
		writes[i] = b.near.beginWrite(item.Key)
	}
	defer endAll(writes)
	err := b.far.SetMany(ctx, items, ttl)
	if err == nil {
		for i, item := range items {
			b.keep(&writes[i], start, item.Value, lifetime{ttl, true})
		}
	}
	return err
}

// DeleteMany removes keys and reports which were present in far.
func (b *Backend) DeleteMany(ctx context.Context, keys []string) ([]bool, error) {
	writes := make([]call, len(keys))
	for i, key := range keys {
		writes[i] = b.near.beginWrite(key)
	}
	defer endAll(writes)
	return b.far.DeleteMany(ctx, keys)
}

// Clear removes every entry of far, and of near.
func (b *Backend) Clear(ctx context.Context) error {
	b.near.beginClear("")
	defer b.near.endClear()
	return b.far.Clear(ctx)
}

// ClearPrefix removes the entries whose key begins with prefix.
func (b *Backend) ClearPrefix(ctx context.Context, prefix string) error {
	b.near.beginClear(prefix)
	defer b.near.endClear()
	return b.far.ClearPrefix(ctx, prefix)
}

// Lease returns the value of key in far, or a token if the caller may load it.
func (b *Backend) Lease(ctx context.Context, key string, hold time.Duration) ([]byte, bool, string, error) {
	return b.far.Lease(ctx, key, hold)
}

// Release ends the lease of key in far if token is that lease.
func (b *Backend) Release(ctx context.Context, key, token string) error {
	return b.far.Release(ctx, key, token)
}
