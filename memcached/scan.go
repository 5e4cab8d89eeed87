package memcached

import (
	"cmp"
	"context"
	"iter"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/memcached/internal/wire"
)

// Scan lists the entries of one server after another. The server walks all its entries and
// sends their keys; the values stay there. Scan keeps the keys with the prefix of one
// server in memory, about their size, because a server locks entries while it waits for the
// reader of the list. Scan then asks for TTLs and sizes, a thousand keys per round trip,
// which does not count as a use of the entries. Scan does not list keys on servers other
// than their own, where no call finds them.
//
// A server lists its keys for one client at a time. If it does so for another one for
// longer than Options.ReadTimeout, the error wraps [driver.ErrUnavailable]. The error wraps
// errors.ErrUnsupported if the server was started without the LRU crawler, and with the
// binary protocol and a gomemcache client. The size of a number that another client has
// decreased includes the spaces that the server leaves. With Options.Flask, the size of what
// Python stored without pickle is -1, and with Options.Spread too every size.
func (b *Backend) Scan(ctx context.Context, prefix string) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		if err := b.scan(ctx, prefix, func(e driver.Entry) bool { return yield(e, nil) }); err != nil {
			yield(driver.Entry{}, err)
		}
	}
}

func (b *Backend) scan(ctx context.Context, prefix string, yield func(driver.Entry) bool) error {
	switch {
	case b.closed.Load():
		return driver.ErrClosed
	case b.meta == nil:
		return errNoMeta
	}
	var failed error
	err := b.meta.Scan(ctx, prefix, func(items []wire.Item) bool {
		if failed = b.findSizes(ctx, items); failed != nil {
			return false
		}
		if p, ok := b.store.(pieced); ok {
			if items, failed = p.entries(ctx, items, prefix); failed != nil {
				return false
			}
		}
		for _, it := range items {
			hidden := it.HasPlaceholder(wire.OpDescribe) || it.Flags == flagChunk || b.isUnreadable(it.Flags)
			if b.options.Flask && it.Flags != flagPickle && it.Flags != flagInt {
				it.Number = -1 // Get returns a pickle of it
			}
			if it.OK && !hidden && !yield(driver.Entry{Key: it.Key, TTL: ttlOf(it), Size: it.Number}) {
				return false
			}
		}
		return true
	})
	return cmp.Or(err, failed)
}

// findSizes replaces the sizes of indexes by those of their values, -1 if Get would not
// return a value. Another writer may have replaced an index: then the item is the new one.
func (b *Backend) findSizes(ctx context.Context, items []wire.Item) error {
	var indexes []wire.Item
	var places []int
	for i := range items {
		if !items[i].OK || items[i].Flags != flagSpread {
			continue
		}
		items[i].Number = -1
		if b.options.Spread {
			indexes, places = append(indexes, wire.Item{Key: items[i].Key}), append(places, i)
		}
	}
	b.store.Many(ctx, wire.OpPeek, indexes)
	for i, place := range places {
		it := &items[place]
		it.OK, it.Flags, it.Expiry = indexes[i].OK, indexes[i].Flags, indexes[i].Expiry
		if it.Flags != flagSpread { // replaced since
			it.Number = int64(len(indexes[i].Value))
		} else if x, err := decodeIndex(indexes[i].Value, b.options); err == nil {
			it.Number = int64(x.size)
		}
	}
	return wire.FirstError(indexes)
}

var _ driver.Scanner = (*Backend)(nil)
