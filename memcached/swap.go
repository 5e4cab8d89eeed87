package memcached

import (
	"bytes"
	"context"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/memcached/internal/wire"
)

// CompareAndSwap reads the value and replaces it if it is still the same item: two round
// trips, three with the binary protocol and a gomemcache client, and two more for a large
// value.
func (b *Backend) CompareAndSwap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	next := b.newItem(key, value, ttl)
	if err := b.checkOne(next); err != nil {
		return false, err
	}
	for range maxRaces {
		it, err := b.getForSwap(ctx, key)
		if err != nil || !it.OK {
			return false, err
		}
		current, ok, err := b.valueOf(ctx, it)
		switch {
		case driver.IsCorrupt(err):
			return false, nil
		case err != nil || !ok || !bytes.Equal(current, old):
			return false, err
		}
		if swapped, err := b.replace(ctx, it, next); swapped || err != nil {
			return swapped, err
		}
	}
	return false, errRaces
}

// getForSwap returns the value of key with a CAS number that was read before it. A value
// that is read together with its CAS number may be older: when incr replaces an item, the
// server gives the old item, which a reader may be about to send, the number of the new one
// (do_add_delta of memcached 1.6). A swap with that number would undo the increment.
//
// A number that was read before is that of the value, or the swap fails: the reader got the
// number from the item that is present at the swap, or from one that this item had replaced
// by then. In both cases the item was present when the value was read.
func (b *Backend) getForSwap(ctx context.Context, key string) (wire.Item, error) {
	if b.meta != nil {
		return b.one(ctx, wire.OpGets, wire.Item{Key: key}) // in this order, in one round trip
	}
	before, err := b.one(ctx, wire.OpMeta, wire.Item{Key: key})
	if err != nil || !before.OK {
		return before, err
	}
	it, err := b.one(ctx, wire.OpGets, wire.Item{Key: key})
	it.CAS, it.Since = before.CAS, before.Since
	return it, err
}
