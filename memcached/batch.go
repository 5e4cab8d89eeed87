package memcached

import (
	"context"
	"fmt"
	"slices"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// A round trip of a batch takes at most so many keys, and no more once it has so
// many bytes to send: timeouts hold for the whole of it, and other clients of the
// server wait no longer than for a thousand small requests.
const (
	chunkKeys  = 1000
	chunkBytes = 8 << 20
)

// many runs v for items of this server, and leaves an error in each that has no
// answer. After a failure it does not try the rest.
func (n *node) many(ctx context.Context, v verb, items []item) {
	for len(items) > 0 {
		fit := n.wire.fits(v, items)
		r := &request{verb: v, items: items[:fit]}
		err := n.twice(r, func() error { return n.exchange(ctx, r) })
		if err != nil {
			failUnseen(items[:fit], failure(err, v.isWrite()))
			failUnseen(items[fit:], failure(unsent{err}, v.isWrite()))
			return
		}
		if unseen := func(it item) bool { return !it.seen }; slices.ContainsFunc(r.items, unseen) {
			n.settle(ctx, r.items)
		}
		items = items[fit:]
	}
}

// settle finds out which items of a quiet set were refused, and why: the server does
// not name them. It leaves nothing under the key of what it refuses. So what is there
// was stored, or somebody else stored something later, which stays. What is not there
// is tried once more, with an answer for each item.
func (n *node) settle(ctx context.Context, items []item) {
	look := &request{verb: vLook, items: make([]item, len(items))}
	for i := range items {
		look.items[i].key = items[i].key
	}
	err := n.exchange(ctx, look)
	add := &request{verb: vAdd}
	var places []int
	for i := range look.items {
		if look.items[i].ok {
			items[i].answer(true)
		} else {
			add.items, places = append(add.items, items[i]), append(places, i)
		}
	}
	if err == nil && len(add.items) > 0 {
		err = n.exchange(ctx, add)
	}
	for i, place := range places {
		it := &items[place]
		*it = add.items[i]
		it.ok = it.err == nil && it.seen // or somebody else was faster
	}
	if err != nil {
		failUnseen(items, fmt.Errorf("%w: %w", cache.ErrUnknownOutcome, err))
	}
}

func failUnseen(items []item, err error) {
	for i := range items {
		if !items[i].seen {
			items[i].fail(err)
		}
	}
}

// fit returns how many of items go into one round trip of so many bytes, which only
// a single one may exceed.
func fit(v verb, items []item, most int) int {
	n := 0
	for size := overhead; n < len(items) && n < chunkKeys; n++ {
		size += items[n].size(v)
		if n > 0 && size > most {
			break
		}
	}
	return n
}

// overhead is more than either protocol puts around a key and a value, and than the
// command that ends a round trip.
const overhead = 64

// size is how many bytes are sent for an item, at most.
func (it *item) size(v verb) int {
	if v.isWrite() {
		return overhead + len(it.key) + len(it.value)
	}
	return overhead + len(it.key)
}

// GetMany reads the keys of each server together, from all servers at once.
func (b *Backend) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	values := make([][]byte, len(keys))
	items := itemsOf(keys)
	if err := b.check(items); err != nil {
		return values, err
	}
	b.store.many(ctx, vGet, items)
	b.joinMany(ctx, items)
	for i := range items {
		if items[i].ok {
			values[i] = unpadded(items[i].value, items[i].flags)
		}
	}
	return values, failures(items)
}

// SetMany stores the items of each server together, in all servers at once.
func (b *Backend) SetMany(ctx context.Context, given []cache.Item, ttl time.Duration) error {
	items := make([]item, len(given))
	expiry := expiryOf(ttl)
	for i, g := range given {
		items[i] = item{key: g.Key, value: g.Value, flags: flagsOf(g.Value), expiry: expiry}
	}
	if err := b.check(items); err != nil {
		return err
	}
	for i := range items {
		if err := checkSize(items[i].value, b.valueLimit); err != nil {
			items[i].fail(err)
		}
	}
	if b.options.Spread {
		b.putLarge(ctx, vSet, items)
	} else {
		b.store.many(ctx, vSet, items)
	}
	for i := range items {
		if !items[i].ok && items[i].err == nil {
			items[i].fail(errNotStored)
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
		deleted[i] = items[i].ok
	}
	return deleted, failures(items)
}

func itemsOf(keys []string) []item {
	items := make([]item, len(keys))
	for i, key := range keys {
		items[i].key = key
	}
	return items
}

// check finds out whether items may be tried at all.
func (b *Backend) check(items []item) error {
	if b.closed.Load() {
		return cache.ErrClosed
	}
	for i := range items {
		if err := checkKey(items[i].key, b.keyLimit); err != nil {
			items[i].fail(err)
		}
	}
	return failures(items)
}

// failures names the items that failed.
func failures(items []item) error {
	if firstError(items) == nil {
		return nil
	}
	var failed cache.BatchError
	for i := range items {
		if items[i].err != nil {
			failed.Fail(items[i].key, items[i].err)
		}
	}
	return &failed
}

func firstError(items []item) error {
	for i := range items {
		if items[i].err != nil {
			return items[i].err
		}
	}
	return nil
}
