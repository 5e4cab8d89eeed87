package memcached

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	cache "github.com/cachebackends/cachebackends/core"
)

// A value larger than Options.ChunkSize lies in chunks, under keys that nobody else
// can know. Under its own key there is a head, which tells them: it is written last,
// so that what it tells is there, and so that whoever reads the old head still finds
// the old chunks. Smaller values lie under their keys as they are; only the flags of
// the item tell a head.

// flagSpread marks a head.
const flagSpread = 'S'<<24 | 'P'<<16 | 'R'<<8 | 'D'

// spreadHead is what is stored for a large value.
type spreadHead struct {
	generation [16]byte // random, and part of the chunks' keys
	size       int      // of the value, in bytes
	chunk      int      // of every chunk but the last
	sum        uint32   // CRC-32C of the value
}

const (
	spreadVersion  = 1
	spreadHeadSize = 1 + 8 + 4 + 4 + 16 + 4

	// chunkSuffix is how much longer than its key a chunk's key is: a tilde, the
	// generation in base 64, a dot and the number.
	chunkSuffix = 1 + 22 + 1 + 4

	// chunkSeconds is how much longer than its head a chunk lives.
	chunkSeconds = 60
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func newSpreadHead(value []byte, chunk int) spreadHead {
	h := spreadHead{size: len(value), chunk: chunk, sum: crc32.Checksum(value, castagnoli)}
	rand.Read(h.generation[:])
	return h
}

// encode writes version, size, number of chunks, size of a chunk, generation, sum.
func (h spreadHead) encode() []byte {
	b := append(make([]byte, 0, spreadHeadSize), spreadVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(h.size))
	b = binary.BigEndian.AppendUint32(b, uint32(h.count()))
	b = binary.BigEndian.AppendUint32(b, uint32(h.chunk))
	b = append(b, h.generation[:]...)
	return binary.BigEndian.AppendUint32(b, h.sum)
}

// decodeSpread reads a head. It believes no sizes that o would not write.
func decodeSpread(b []byte, o Options) (spreadHead, error) {
	if len(b) != spreadHeadSize || b[0] != spreadVersion {
		return spreadHead{}, fmt.Errorf("%w: not a head of chunks", cache.ErrCorrupt)
	}
	size, count := binary.BigEndian.Uint64(b[1:]), binary.BigEndian.Uint32(b[9:])
	h := spreadHead{chunk: int(binary.BigEndian.Uint32(b[13:])), sum: binary.BigEndian.Uint32(b[33:])}
	copy(h.generation[:], b[17:])
	if size > uint64(o.spreadLimit()) || h.chunk == 0 || h.chunk > o.maxValue() {
		return spreadHead{}, fmt.Errorf("%w: a value of %d bytes in chunks of %d is more than ChunkSize and MaxChunks allow",
			cache.ErrCorrupt, size, h.chunk)
	}
	h.size = int(size)
	if h.count() != int(count) || count > mostChunks {
		return spreadHead{}, fmt.Errorf("%w: not a head of chunks", cache.ErrCorrupt)
	}
	return h, nil
}

// spreadLimit is the largest value that is spread.
func (o Options) spreadLimit() int { return o.ChunkSize * o.MaxChunks }

func (h spreadHead) count() int { return (h.size + h.chunk - 1) / h.chunk }

// chunks returns the items that make up value, which may be nil.
func (h spreadHead) chunks(key string, value []byte) []item {
	chunks := make([]item, h.count())
	prefix := key + "~" + base64.RawURLEncoding.EncodeToString(h.generation[:]) + "."
	for i := range chunks {
		chunks[i].key = fmt.Sprintf("%s%04d", prefix, i)
		if value != nil {
			begin, end := i*h.chunk, min((i+1)*h.chunk, h.size)
			chunks[i].value = value[begin:end:end]
		}
	}
	return chunks
}

// errReplaced ends a read that is always too late.
var errReplaced = fmt.Errorf("%w: the value is replaced faster than its chunks can be read", cache.ErrUnavailable)

// join reads the chunks that it tells. Where one is missing, somebody may have
// replaced the value meanwhile; otherwise the head is of no more use.
func (b *Backend) join(ctx context.Context, it item) (value []byte, ok bool, err error) {
	for range 10 {
		h, err := b.headIn(it)
		if err != nil {
			return nil, false, err
		}
		value := make([]byte, h.size)
		chunks := h.chunks(it.key, value)
		b.store.many(ctx, vGet, chunks)
		whole, err := h.assemble(value, chunks)
		switch {
		case whole:
			return value, true, nil
		case err != nil:
			return nil, false, err
		}
		again, err := b.one(ctx, vGets, item{key: it.key})
		switch {
		case err != nil || !again.ok:
			return nil, false, err
		case again.flags != flagSpread:
			return unpadded(again.value, again.flags), true, nil
		case bytes.Equal(again.value, it.value):
			return nil, false, b.discard(ctx, again, h)
		}
		it = again
	}
	return nil, false, errReplaced
}

// headIn returns the head in it.
func (b *Backend) headIn(it item) (spreadHead, error) {
	if !b.options.Spread {
		return spreadHead{}, fmt.Errorf("%w: it lies in chunks, which only a cache with Spread reads", cache.ErrCorrupt)
	}
	return decodeSpread(it.value, b.options)
}

// joinMany is join for those of items that are heads.
func (b *Backend) joinMany(ctx context.Context, items []item) {
	type value struct {
		it     *item
		head   spreadHead
		bytes  []byte
		chunks int // how many
	}
	var values []value
	var chunks []item
	for i := range items {
		it := &items[i]
		if !it.ok || it.flags != flagSpread {
			continue
		}
		h, err := b.headIn(*it)
		if err != nil {
			it.fail(err)
			continue
		}
		v := value{it, h, make([]byte, h.size), h.count()}
		values, chunks = append(values, v), append(chunks, h.chunks(it.key, v.bytes)...)
	}
	if len(values) == 0 {
		return
	}
	b.store.many(ctx, vGet, chunks)
	for _, v := range values {
		whole, err := v.head.assemble(v.bytes, chunks[:v.chunks])
		chunks = chunks[v.chunks:]
		switch {
		case whole:
			v.it.value = v.bytes
		case err != nil:
			v.it.fail(err)
		default:
			if v.it.value, v.it.ok, err = b.Get(ctx, v.it.key); err != nil {
				v.it.fail(err)
			}
		}
		v.it.flags = 0
	}
}

// remove is many for vDelete, with the chunks of large values.
func (b *Backend) remove(ctx context.Context, items []item) {
	var old []large
	if b.options.Spread {
		keys := make([]string, len(items))
		for i := range items {
			keys[i] = items[i].key
		}
		old = b.heads(ctx, keys)
	}
	b.store.many(ctx, vDelete, items)
	b.removeChunks(ctx, old)
}

var errNoValue = fmt.Errorf("%w: its chunks do not make up the value", cache.ErrCorrupt)

// assemble puts the chunks that have been read into value. It reports whether all
// were there; with an error some could not be read, or are damaged.
func (h spreadHead) assemble(value []byte, chunks []item) (bool, error) {
	if err := firstError(chunks); err != nil {
		return false, err
	}
	for i := range chunks {
		if !chunks[i].ok {
			return false, nil
		}
	}
	for i, rest := 0, value; len(rest) > 0; i++ {
		part := chunks[i].value
		if len(part) != min(h.chunk, len(rest)) {
			return false, errNoValue
		}
		if &part[0] != &rest[0] { // not read into its place
			copy(rest, part)
		}
		rest = rest[len(part):]
	}
	if crc32.Checksum(value, castagnoli) != h.sum {
		return false, errNoValue
	}
	return true, nil
}

// discard removes a head some of whose chunks are gone, unless it has been replaced,
// and the others.
func (b *Backend) discard(ctx context.Context, it item, h spreadHead) error {
	gone, err := b.one(ctx, vDelete, item{key: it.key, cas: it.cas})
	if gone.ok {
		b.removeChunks(ctx, []large{{it.key, h}})
	}
	return err
}

// large is a value in chunks that is, or was, under a key.
type large struct {
	key  string
	head spreadHead
}

// putLarge is many for v, vSet or vAdd, where some of the values are large: chunks
// first, then what lies under the keys themselves. In the end it removes the chunks
// of what is there no more.
func (b *Backend) putLarge(ctx context.Context, v verb, items []item) {
	var keys []string
	for i := range items {
		if len(items[i].value) > b.options.ChunkSize && items[i].err == nil {
			keys = append(keys, items[i].key)
		}
	}
	useless := b.heads(ctx, keys)
	ours := b.putChunks(ctx, items)
	b.store.many(ctx, v, items)
	stored := make(map[string]bool, len(items))
	for i := range items {
		stored[items[i].key] = items[i].ok
		if items[i].ok || errors.Is(items[i].err, cache.ErrUnknownOutcome) {
			delete(ours, items[i].key)
		}
	}
	useless = slices.DeleteFunc(useless, func(l large) bool { return !stored[l.key] })
	for key, head := range ours {
		useless = append(useless, large{key, head})
	}
	b.removeChunks(ctx, useless)
}

// putChunks stores the chunks of the large values among items, and puts the heads
// in their place. It returns those, by their keys.
func (b *Backend) putChunks(ctx context.Context, items []item) map[string]spreadHead {
	heads := map[string]spreadHead{}
	var chunks []item
	var owner []*item // of each chunk
	for i := range items {
		it := &items[i]
		if len(it.value) <= b.options.ChunkSize || it.err != nil {
			continue
		}
		h := newSpreadHead(it.value, b.options.ChunkSize)
		for _, c := range h.chunks(it.key, it.value) {
			c.expiry = later(it.expiry, chunkSeconds)
			chunks, owner = append(chunks, c), append(owner, it)
		}
		it.value, it.flags = h.encode(), flagSpread
		heads[it.key] = h
	}
	b.store.many(ctx, vSet, chunks)
	for i := range chunks {
		switch {
		case chunks[i].err != nil:
			owner[i].fail(chunks[i].err)
		case !chunks[i].ok:
			owner[i].fail(errNotStored)
		}
	}
	return heads
}

// heads returns what lies in chunks under keys. It does not say what it could not
// find out: it is for tidying up.
func (b *Backend) heads(ctx context.Context, keys []string) (found []large) {
	spread := make([]item, 0, len(keys))
	for _, it := range b.ask(ctx, vLook, itemsOf(keys)) {
		if it.flags == flagSpread {
			spread = append(spread, item{key: it.key})
		}
	}
	for _, it := range b.ask(ctx, vGet, spread) {
		if h, err := decodeSpread(it.value, b.options); err == nil && it.flags == flagSpread {
			found = append(found, large{it.key, h})
		}
	}
	return found
}

// ask runs v and returns those of items that are there.
func (b *Backend) ask(ctx context.Context, v verb, items []item) []item {
	if len(items) > 0 {
		b.store.many(ctx, v, items)
	}
	return slices.DeleteFunc(items, func(it item) bool { return !it.ok })
}

// removeChunks removes what nothing tells of any more. Where it fails, their expiry
// or the server's need of memory does it.
func (b *Backend) removeChunks(ctx context.Context, useless []large) {
	var chunks []item
	for _, l := range useless {
		chunks = append(chunks, l.head.chunks(l.key, nil)...)
	}
	b.ask(ctx, vDelete, chunks)
}

// hasChunks reports whether the chunks are there that a head under key tells. If
// not, the head goes.
func (b *Backend) hasChunks(ctx context.Context, key string) (bool, error) {
	it, err := b.one(ctx, vGets, item{key: key})
	if err != nil || !it.ok || it.flags != flagSpread {
		return it.ok, err
	}
	h, err := b.headIn(it)
	if err != nil {
		return false, nil // damaged, which is absent
	}
	chunks := h.chunks(key, nil)
	b.store.many(ctx, vLook, chunks)
	if err := firstError(chunks); err != nil {
		return false, err
	}
	if slices.ContainsFunc(chunks, func(c item) bool { return !c.ok }) {
		return false, b.discard(ctx, it, h)
	}
	return true, nil
}
