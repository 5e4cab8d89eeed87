package memcached

import (
	"cmp"
	"context"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/memcached/internal/wire"
)

// GetMany reads the keys of each server together, from all servers at once.
func (b *Backend) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	values := make([][]byte, len(keys))
	items := itemsOf(keys)
	if err := b.check(items); err != nil {
		return values, err
	}
	b.many(ctx, wire.OpGet, items)
	b.joinMany(ctx, items, 1, nil)
	for i := range items {
		if items[i].OK {
			values[i] = b.valueIn(&items[i])
		}
	}
	return values, failures(items)
}

// SetMany stores the items of each server together, in all servers at once.
func (b *Backend) SetMany(ctx context.Context, given []driver.Item, ttl time.Duration) error {
	items := make([]wire.Item, len(given))
	for i, g := range given {
		items[i] = b.newItem(g.Key, g.Value, ttl)
	}
	if err := b.check(items); err != nil {
		return err
	}
	for i := range items {
		if err := b.checkSize(items[i].Value); err != nil {
			items[i].Fail(err)
		}
	}
	if b.options.Spread {
		b.putLarge(ctx, wire.OpSet, items)
	} else {
		b.store.Many(ctx, wire.OpSet, items)
	}
	for i := range items {
		if it := &items[i]; !it.OK {
			it.Fail(cmp.Or(it.Err, errNotStored))
		}
	}
	return failures(items)
}

// DeleteMany removes the keys of each server together, in all servers at once.
func (b *Backend) DeleteMany(ctx context.Context, keys []string) ([]bool, error) {
	deleted := make([]bool, len(keys))
	items := itemsOf(keys)
	if err := b.check(items); err != nil {
		return deleted, err
	}
	b.remove(ctx, items)
	for i := range items {
		deleted[i] = items[i].OK
	}
	return deleted, failures(items)
}

// valueIn returns the value of an item that was read, or fails the item.
func (b *Backend) valueIn(it *wire.Item) []byte {
	value, err := b.value(*it)
	if err != nil {
		it.Fail(err)
	}
	return value
}

func itemsOf(keys []string) []wire.Item {
	items := make([]wire.Item, len(keys))
	for i, key := range keys {
		items[i].Key = key
	}
	return items
}

// check checks what must hold before anything is sent. One invalid key fails the whole
// batch.
func (b *Backend) check(items []wire.Item) error {
	if b.closed.Load() {
		return driver.ErrClosed
	}
	for i := range items {
		if err := checkKey(items[i].Key, b.keyLimit); err != nil {
			items[i].Fail(err)
		}
	}
	return failures(items)
}

// failures returns a BatchError of the items that failed.
func failures(items []wire.Item) error {
	if wire.FirstError(items) == nil {
		return nil
	}
	var failed driver.BatchError
	for i := range items {
		if items[i].Err != nil {
			failed.Fail(items[i].Key, items[i].Err)
		}
	}
	return &failed
}
