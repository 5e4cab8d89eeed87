package memcached

import (
	"context"
	"time"

	"github.com/cachebackends/cachebackends/core/driver/remote"
	"github.com/cachebackends/cachebackends/memcached/internal/wire"
)

// GetAppend reads the value into the capacity of dst if it is large enough. A call that
// shares its round trip with others copies the value. Calls do not share if dst has 16 KiB
// of unused capacity.
func (b *Backend) GetAppend(ctx context.Context, key string, dst []byte) ([]byte, bool, error) {
	free := dst[len(dst):]
	it, err := b.one(ctx, wire.OpGet, wire.Item{Key: key, Value: free})
	if err != nil || !it.OK {
		return dst, false, err
	}
	if it = b.join(ctx, it, free); !it.OK {
		return dst, false, it.Err
	}
	value, err := b.value(it)
	if err != nil {
		return dst, false, err
	}
	return remote.Append(dst, value), true, nil
}

// GetWithTTL returns the value of key with its remaining TTL. A large value takes a second
// round trip; the TTL is that of its index, and the chunks live longer.
func (b *Backend) GetWithTTL(ctx context.Context, key string) ([]byte, time.Duration, bool, error) {
	if b.meta == nil {
		return nil, 0, false, errNoMeta
	}
	it, err := b.one(ctx, wire.OpGetTTL, wire.Item{Key: key})
	if err != nil || !it.OK {
		return nil, 0, false, err
	}
	if it = b.join(ctx, it, nil); !it.OK {
		return nil, 0, false, it.Err
	}
	value, err := b.value(it)
	return value, remaining(it), err == nil, err
}

// GetManyWithTTL reads the keys of each server together, from all servers at once.
func (b *Backend) GetManyWithTTL(ctx context.Context, keys []string) ([][]byte, []time.Duration, error) {
	values, ttls := make([][]byte, len(keys)), make([]time.Duration, len(keys))
	if b.meta == nil {
		return values, ttls, errNoMeta
	}
	items := itemsOf(keys)
	if err := b.check(items); err != nil {
		return values, ttls, err
	}
	b.many(ctx, wire.OpGetTTL, items)
	b.joinMany(ctx, items, 1, nil)
	for i := range items {
		if items[i].OK {
			values[i], ttls[i] = b.valueIn(&items[i]), remaining(items[i])
		}
	}
	return values, ttls, failures(items)
}

// remaining returns the TTL of an item that was requested at Since, 0 if it never expires.
// The item is present at least as long.
func remaining(it wire.Item) time.Duration {
	if it.Expiry < 0 {
		return 0
	}
	ttl := time.Duration(min(it.Expiry, lastDate)-graceSeconds) * time.Second
	return max(ttl-(wire.Clock()-it.Since), 1)
}
