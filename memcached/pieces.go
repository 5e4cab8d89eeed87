package memcached

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/cachebackends/cachebackends/memcached/internal/wire"
)

// Flask-Caching's SpreadSASLMemcachedCache stores every value as one pickle, in pieces
// under key.0 to key.31, and reads all pieces that it finds. Nothing there says how many
// there are, or which belong together. So what Go stores in several pieces has that in the
// flags of each, in bits that pylibmc ignores, and Go does not read a mix.
//
// Flask uses the key itself for add, inc, dec, get_many and set_many, and so for the
// versions of memoized functions. Go reads such an entry if there are no pieces.

const (
	// pieceSize is the size of Flask's pieces.
	pieceSize = 1048448

	// minPiece has room for an integer.
	minPiece = 64

	// maxPieces is how many pieces Flask reads.
	maxPieces = 32

	// pieceSuffix is the size of what the key of a piece adds to the key of the value.
	pieceSuffix = len(".31")

	// flagPart marks an entry of which pieces are missing. It is not stored.
	flagPart = 1 << 31

	pythonFlags    = 1<<5 - 1 // the flags of pylibmc
	countShift     = 5        // then the number of pieces less one, and a random number
	countMask      = maxPieces - 1
	generationMask = 1<<22 - 1
)

// pieced is a store of values in pieces. The first piece stands for the entry: its CAS
// number and its expiry are those of the entry.
type pieced struct {
	store
	size      int // of the pieces that Flask writes, in bytes
	writeSize int // of those that Go writes
}

func pieceKey(key string, i int) string { return fmt.Sprintf("%s.%d", key, i) }

// piecesIn returns how many pieces an entry has, by the flags of any, or 0 if Python has
// stored it, or it is small.
func piecesIn(flags uint32) int {
	if flags>>countShift == 0 || flags&pythonFlags != 0 {
		return 0
	}
	return int(flags>>countShift&countMask) + 1
}

func newGeneration(count int) uint32 {
	return uint32(count-1)<<countShift | (1+rand.Uint32N(generationMask))<<(countShift+5)
}

// Do performs a request of one item.
func (p pieced) Do(ctx context.Context, r *wire.Request) error {
	p.Many(ctx, r.Op, r.Items)
	return nil
}

// Many performs op for items.
func (p pieced) Many(ctx context.Context, op wire.Op, items []wire.Item) {
	for i := range items {
		items[i].Answered = false
	}
	switch op {
	case wire.OpGet, wire.OpGets, wire.OpGetTTL:
		p.read(ctx, op, items)
	case wire.OpSet:
		p.set(ctx, items)
	case wire.OpAdd, wire.OpCompareAndSwap:
		for i := range items {
			p.replace(ctx, op, &items[i])
		}
	case wire.OpIncrement:
		for i := range items {
			p.increment(ctx, &items[i])
		}
	case wire.OpDelete:
		p.remove(ctx, items)
	default: // OpMeta, OpExpiryTime
		p.describe(ctx, op, items)
	}
}

// first performs op for the first piece of an item, and keeps the key of the item.
func (p pieced) first(ctx context.Context, op wire.Op, it *wire.Item) {
	key := it.Key
	it.Key = pieceKey(key, 0)
	p.do(ctx, op, it)
	it.Key = key
}

// errPiece is the error of an item that is not asked for.
var errPiece = errors.New("the key of a piece")

// plainItem returns the item under the key itself. If the key looks like that of a piece,
// it belongs to another entry: then the item has the error errPiece.
func plainItem(it wire.Item) wire.Item {
	if _, _, isPiece := cutPiece(it.Key); isPiece && it.Err == nil {
		it.Fail(errPiece)
	}
	return it
}

// cutPiece returns the key of the entry and the number of the piece whose key this is.
func cutPiece(key string) (entry string, n int, isPiece bool) {
	i := strings.LastIndexByte(key, '.')
	if i < 0 {
		return "", 0, false
	}
	n, err := strconv.Atoi(key[i+1:])
	return key[:i], n, err == nil && 0 <= n && n < maxPieces && strconv.Itoa(n) == key[i+1:]
}

func entryOfPiece(key string) (entry string, isPiece bool) {
	entry, _, isPiece = cutPiece(key)
	return entry, isPiece
}

// do performs op for one item.
func (p pieced) do(ctx context.Context, op wire.Op, it *wire.Item) {
	if it.Err != nil {
		if it.Err == errPiece {
			it.Err = nil
		}
		return
	}
	key := it.Key
	r := wire.NewRequest(op, *it)
	if err := p.store.Do(ctx, r); err != nil {
		it.Fail(err)
		return
	}
	*it = r.Items[0]
	it.Key = key
	r.Release()
}

// find performs op, which reads, for the keys of items themselves, and for their first
// pieces. It reports which items are those under the key itself. A server replies in this
// order: Set stores the pieces and then removes the entry under the key itself, so a reader
// that misses the latter finds the former.
func (p pieced) find(ctx context.Context, op wire.Op, items []wire.Item) (plain []bool) {
	n := len(items)
	both := make([]wire.Item, 2*n)
	for i, it := range items {
		both[i] = plainItem(wire.Item{Key: it.Key, Err: it.Err})
		both[n+i] = wire.Item{Key: pieceKey(it.Key, 0), Err: it.Err}
	}
	p.store.Many(ctx, op, both)
	plain = make([]bool, n)
	for i := range items {
		key, found := items[i].Key, both[n+i]
		if plain[i] = !found.OK && found.Err == nil && both[i].Err != errPiece; plain[i] {
			found = both[i]
		}
		items[i] = found
		items[i].Key = key
	}
	return plain
}

// read reads the first pieces together, and then those of each large value.
func (p pieced) read(ctx context.Context, op wire.Op, items []wire.Item) {
	plain := p.find(ctx, op, items)
	for i := range items {
		it := &items[i]
		for range maxRaces {
			if plain[i] || !it.OK || p.join(ctx, it) {
				break
			}
			plain[i] = p.find(ctx, op, items[i:i+1])[0] // another writer may have replaced the value
		}
		if plain[i] {
			continue
		}
		if piecesIn(it.Flags) > 0 {
			it.OK = false // it was written in part
		}
		fromPiece(it)
	}
}

// join completes the value of an item of which the first piece was read. It reports false
// if pieces are missing, or belong to another value.
func (p pieced) join(ctx context.Context, it *wire.Item) bool {
	count := piecesIn(it.Flags)
	if count == 0 && (it.Flags != flagBytes || len(it.Value) != p.size) {
		return true
	}
	limit := cmp.Or(count, maxPieces)
	rest := make([]wire.Item, limit-1)
	for i := range rest {
		rest[i].Key = pieceKey(it.Key, i+1)
	}
	p.store.Many(ctx, wire.OpGet, rest)
	value := bytes.Clone(it.Value)
	for i := range rest {
		piece := &rest[i]
		switch {
		case piece.Err != nil:
			it.Fail(piece.Err)
			return true
		case count == 0 && !piece.OK:
			it.Value = value
			return true
		case !piece.OK || piece.Flags != it.Flags:
			return false
		}
		value = append(value, piece.Value...)
		if count == 0 && len(piece.Value) != p.size {
			break // what follows is left from a longer value
		}
	}
	it.Value, it.Flags = value, flagBytes
	return true
}
