package memcached

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/memcached/internal/wire"
)

// With Options.Spread, a value larger than ChunkSize is stored in chunks under random
// keys. The item under its own key is an index of them, marked by its flags. The index is
// written last, so its chunks are present, and readers of the old index still find the
// old chunks.

// chunkSeconds is how much longer than its index a chunk lives.
const chunkSeconds = 60

// maxRaces is how often a call starts again because another writer was faster.
const maxRaces = 10

var errRaces = fmt.Errorf("%w: gave up after losing every race with concurrent writers", driver.ErrUnavailable)

// join returns it with its value in place of an index. It uses memory for the value if
// the capacity is large enough.
func (b *Backend) join(ctx context.Context, it wire.Item, memory []byte) wire.Item {
	if !it.OK || it.Flags != flagSpread {
		return it // most values; items below is allocated
	}
	items := []wire.Item{it}
	b.joinMany(ctx, items, 1, memory)
	return items[0]
}

// joining is an item with an index whose chunks are read.
type joining struct {
	*wire.Item
	index
	memory []byte // for the value, may be nil
}

// joinMany replaces the indexes among items by their values. It reads many together, but
// never more chunks than one value may have: an index takes little to send and much to
// read. A single item uses memory if the capacity is large enough.
func (b *Backend) joinMany(ctx context.Context, items []wire.Item, races int, memory []byte) {
	var group []joining
	var chunks []wire.Item // of the group
	ahead := 0             // bytes of memory
	read := func() {
		b.store.Many(ctx, wire.OpGet, chunks)
		for _, j := range group {
			n := j.count()
			value, complete, err := j.assemble(j.memory, chunks[:n])
			clear(chunks[:n])
			chunks = chunks[n:]
			switch {
			case err != nil:
				j.Fail(err)
			case complete:
				j.Value, j.Flags = value, flagVerbatim
			default:
				*j.Item = b.rejoin(ctx, *j.Item, j.index, races, memory)
			}
		}
		group, chunks, ahead = nil, nil, 0
	}
	for i := range items {
		it := &items[i]
		if !it.OK || it.Flags != flagSpread {
			continue
		}
		x, err := b.indexIn(*it)
		if err != nil {
			it.Fail(err)
			continue
		}
		if len(chunks)+x.count() > maxChunks {
			read()
		}
		j := joining{Item: it, index: x}
		switch {
		case len(items) == 1 && x.size <= cap(memory):
			it.Value = bytes.Clone(it.Value) // it may be in memory
			j.memory = memory[:x.size]
		case x.size <= maxAhead-ahead:
			j.memory, ahead = make([]byte, x.size), ahead+x.size
		}
		group, chunks = append(group, j), append(chunks, x.chunks(it.Key, j.memory)...)
	}
	if len(group) > 0 {
		read()
	}
}

// rejoin joins it once more, of which chunks are missing.
func (b *Backend) rejoin(ctx context.Context, it wire.Item, x index, races int, memory []byte) wire.Item {
	if races == maxRaces {
		it.Fail(errRaces)
		return it
	}
	items := []wire.Item{b.reread(ctx, it, x)}
	b.joinMany(ctx, items, races+1, memory)
	return items[0]
}

// reread reads it again, of which chunks are missing: another writer may have replaced it
// meanwhile. Otherwise reread removes the index, and the item is absent.
func (b *Backend) reread(ctx context.Context, it wire.Item, x index) wire.Item {
	op := wire.OpGets
	if b.meta != nil {
		op = wire.OpGetTTL
	}
	again, err := b.one(ctx, op, wire.Item{Key: it.Key})
	switch {
	case err != nil:
		again.Key = it.Key
		again.Fail(err)
	case again.OK && again.Flags == flagSpread && bytes.Equal(again.Value, it.Value):
		b.discard(ctx, again, x)
		again.OK = false
	}
	return again
}

func (b *Backend) indexIn(it wire.Item) (index, error) {
	if !b.options.Spread {
		return index{}, fmt.Errorf("%w: the value is stored in chunks, which only a cache with Spread reads", driver.ErrCorrupt)
	}
	return decodeIndex(it.Value, b.options)
}

// remove removes items with the chunks of large values. If it fails to remove an index,
// its chunks stay.
func (b *Backend) remove(ctx context.Context, items []wire.Item) {
	var old []indexed
	if b.options.Spread {
		keys := make([]string, len(items))
		for i := range items {
			keys[i] = items[i].Key
		}
		old = b.indexes(ctx, keys)
	}
	b.many(ctx, wire.OpDelete, items)
	failed := map[string]bool{}
	for i := range items {
		failed[items[i].Key] = items[i].Err != nil
	}
	b.removeChunks(ctx, slices.DeleteFunc(old, func(x indexed) bool { return failed[x.key] }))
}

// discard removes an index of which chunks are missing, unless it has been replaced,
// and the chunks that are present. It ignores errors: the value is absent in any case.
func (b *Backend) discard(ctx context.Context, it wire.Item, x index) {
	deleted, _ := b.one(ctx, wire.OpDelete, wire.Item{Key: it.Key, CAS: it.CAS, Since: it.Since})
	if deleted.OK {
		b.removeChunks(ctx, []indexed{{it.Key, x}})
	}
}

// indexed is a value in chunks that is, or was, stored under a key.
type indexed struct {
	key string
	index
}

// putLarge performs op, which stores, for items of which some are large: first the chunks,
// then the items under the keys themselves. Then it removes the chunks of indexes that were
// replaced or not stored.
func (b *Backend) putLarge(ctx context.Context, op wire.Op, items []wire.Item) {
	var keys []string // that may have chunks
	for i := range items {
		if b.isLarge(items[i].Value) && items[i].Err == nil && op != wire.OpAdd {
			keys = append(keys, items[i].Key)
		}
	}
	old := b.indexes(ctx, keys)
	added := b.putChunks(ctx, items)
	b.store.Many(ctx, op, items)
	results := make(map[string]*wire.Item, len(items))
	for i := range items {
		results[items[i].Key] = &items[i]
	}
	old = slices.DeleteFunc(old, func(x indexed) bool { return !results[x.key].OK })
	added = slices.DeleteFunc(added, func(x indexed) bool {
		it := results[x.key]
		return it.OK || errors.Is(it.Err, driver.ErrUnknownOutcome)
	})
	b.removeChunks(ctx, append(old, added...))
}

// putChunks stores the chunks of the large values among items and replaces the values by
// the indexes that it returns.
func (b *Backend) putChunks(ctx context.Context, items []wire.Item) (added []indexed) {
	var chunks []wire.Item
	var owners []*wire.Item // of each chunk
	for i := range items {
		it := &items[i]
		if !b.isLarge(it.Value) || it.Err != nil {
			continue
		}
		x := newIndex(it.Value, b.options.ChunkSize)
		for _, c := range x.chunks(it.Key, it.Value) {
			c.Expiry, c.Flags = later(it.Expiry, chunkSeconds), flagChunk
			chunks, owners = append(chunks, c), append(owners, it)
		}
		it.Value, it.Flags = x.encode(), flagSpread
		added = append(added, indexed{it.Key, x})
	}
	b.store.Many(ctx, wire.OpSet, chunks)
	for i := range chunks {
		if err := chunks[i].Err; err != nil || !chunks[i].OK {
			owners[i].Fail(cmp.Or(err, errNotStored))
		}
	}
	return added
}

// indexes returns the indexes under keys. It ignores errors: it is called to remove
// chunks that are not needed any more.
func (b *Backend) indexes(ctx context.Context, keys []string) (found []indexed) {
	large := make([]wire.Item, 0, len(keys))
	for _, it := range b.present(ctx, wire.OpMeta, itemsOf(keys)) {
		if it.Flags == flagSpread {
			large = append(large, wire.Item{Key: it.Key})
		}
	}
	for _, it := range b.present(ctx, wire.OpGet, large) {
		if x, err := decodeIndex(it.Value, b.options); err == nil && it.Flags == flagSpread {
			found = append(found, indexed{it.Key, x})
		}
	}
	return found
}

// present performs op and returns the items that are present.
func (b *Backend) present(ctx context.Context, op wire.Op, items []wire.Item) []wire.Item {
	b.store.Many(ctx, op, items)
	return slices.DeleteFunc(items, func(it wire.Item) bool { return !it.OK })
}

// removeChunks ignores errors: chunks that stay expire, or are evicted.
func (b *Backend) removeChunks(ctx context.Context, unused []indexed) {
	var chunks []wire.Item
	for _, x := range unused {
		if len(chunks)+x.count() > maxChunks {
			b.store.Many(ctx, wire.OpDelete, chunks)
			chunks = nil
		}
		chunks = append(chunks, x.chunks(x.key, nil)...)
	}
	b.store.Many(ctx, wire.OpDelete, chunks)
}

// hasChunks reports whether all chunks of the index under key are present. If not, and no
// other writer has replaced it meanwhile, hasChunks removes the index.
func (b *Backend) hasChunks(ctx context.Context, key string) (bool, error) {
	it, err := b.one(ctx, wire.OpGets, wire.Item{Key: key})
	if err != nil {
		return false, err
	}
	for range maxRaces {
		if !it.OK || it.Flags != flagSpread {
			return it.OK, it.Err
		}
		x, err := b.indexIn(it)
		if err != nil {
			return false, nil // damaged: absent, as for Get
		}
		chunks := x.chunks(key, nil)
		b.store.Many(ctx, wire.OpMeta, chunks)
		if err := wire.FirstError(chunks); err != nil {
			return false, err
		}
		if !slices.ContainsFunc(chunks, func(c wire.Item) bool { return !c.OK }) {
			return true, nil
		}
		it = b.reread(ctx, it, x)
	}
	return false, errRaces
}
