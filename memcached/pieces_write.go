package memcached

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"strconv"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/memcached/internal/wire"
)

// An integer is a pickle of protocol 0, "I5\n.". The date on which it expires follows,
// which Python ignores: Inc stores the entry anew with the same expiry.
const (
	integerBegin = 'I'
	integerEnd   = "\n.\x00"
	dateSize     = 8
)

// split returns the pieces of an item.
func (p pieced) split(it wire.Item) []wire.Item {
	value := it.Value
	if it.Flags == flagInt {
		value = append(append([]byte{integerBegin}, value...), integerEnd...)
		value = binary.BigEndian.AppendUint64(value, uint64(dateOf(it.Expiry)))
	}
	count := max(1, (len(value)+p.writeSize-1)/p.writeSize)
	it.Flags, it.CAS, it.Since = flagBytes, 0, 0
	if count > 1 || len(value) == p.size {
		it.Flags = newGeneration(count)
	}
	pieces := make([]wire.Item, count)
	for i := range pieces {
		pieces[i] = it
		pieces[i].Key = pieceKey(it.Key, i)
		pieces[i].Value, value = value[:min(p.writeSize, len(value))], value[min(p.writeSize, len(value)):]
	}
	return pieces
}

// dateOf returns an expiry as a date, 0 for never.
func dateOf(expiry int64) int64 {
	if expiry == 0 || expiry > wire.MaxRelative {
		return expiry
	}
	return time.Now().Unix() + expiry
}

// fromPiece turns the joined pieces of an item into a value.
func fromPiece(it *wire.Item) {
	if it.Flags != flagBytes {
		return
	}
	it.Flags = flagPickle
	if text, _, ok := cutInteger(it.Value); ok {
		it.Value, it.Flags = text, flagInt
	}
}

// cutInteger returns the text and the expiry of an integer that Go has stored.
func cutInteger(piece []byte) (text []byte, date int64, ok bool) {
	end := len(piece) - dateSize
	if end <= 0 || piece[0] != integerBegin {
		return nil, 0, false
	}
	text, marked := bytes.CutSuffix(piece[1:end], []byte(integerEnd))
	_, isInteger := driver.ParseInteger(text)
	return text, int64(binary.BigEndian.Uint64(piece[end:])), marked && isInteger
}

// set stores the pieces of all items together.
func (p pieced) set(ctx context.Context, items []wire.Item) {
	var pieces []wire.Item
	counts, keys, ends := make([]int, len(items)), make([]string, 0, len(items)), make([]int, 0, len(items))
	for i, it := range items {
		if it.Err == nil {
			split := p.split(it)
			pieces, counts[i] = append(pieces, split...), len(split)
			keys, ends = append(keys, it.Key), append(ends, len(split))
		}
	}
	p.store.Many(ctx, wire.OpSet, pieces)
	for i := range items {
		if counts[i] > 0 {
			allStored(&items[i], pieces[:counts[i]])
			pieces = pieces[counts[i]:]
		}
	}
	p.removeRest(ctx, keys, ends)
}

// allStored sets the reply of it, whose pieces were stored.
func allStored(it *wire.Item, pieces []wire.Item) {
	it.Answer(true)
	for i := range pieces {
		if piece := &pieces[i]; piece.Err != nil || !piece.OK {
			it.Fail(cmp.Or(piece.Err, errNotStored))
			return
		}
	}
}

// replace performs op, which stores if the first piece permits it. Nothing else is stored
// before that is known: it would be part of the present value.
func (p pieced) replace(ctx context.Context, op wire.Op, it *wire.Item) {
	if it.Err != nil {
		return
	}
	if op == wire.OpAdd {
		plain := plainItem(wire.Item{Key: it.Key})
		if p.do(ctx, wire.OpMeta, &plain); plain.OK || plain.Err != nil {
			it.OK, it.Answered, it.Err, it.Flags, it.CAS = false, true, plain.Err, plain.Flags, plain.CAS
			return
		}
	}
	pieces := p.split(*it)
	reply := *it
	reply.Value, reply.Flags = pieces[0].Value, pieces[0].Flags
	p.first(ctx, op, &reply)
	given := *it
	*it = reply
	it.Value = given.Value
	switch {
	case it.Err != nil:
		return
	case !it.OK && op == wire.OpCompareAndSwap:
		given = plainItem(given)
		given.Flags = plainFlags(given)
		p.do(ctx, op, &given) // the entry may be under the key itself
		it.OK, it.Err = given.OK, given.Err
		return
	case !it.OK:
		p.complete(ctx, it)
		return
	}
	if rest := pieces[1:]; len(rest) > 0 {
		p.store.Many(ctx, wire.OpSet, rest)
		allStored(it, rest)
	}
	p.removeRest(ctx, []string{it.Key}, []int{len(pieces)})
}

// increment adds to an integer if the entry is still the same.
func (p pieced) increment(ctx context.Context, it *wire.Item) {
	read := wire.Item{Key: it.Key}
	p.first(ctx, wire.OpGets, &read)
	text, date, ok := cutInteger(read.Value)
	switch {
	case read.Err != nil:
		it.Fail(read.Err)
		return
	case !read.OK: // the entry may be under the key itself
		plain := plainItem(*it)
		p.do(ctx, wire.OpIncrement, &plain)
		it.OK, it.Answered, it.Err, it.Number = plain.OK, true, plain.Err, plain.Number
		return
	case read.CAS != it.CAS || !ok:
		it.Answer(false)
		return
	}
	sum, err := driver.AddInteger(text, it.Number)
	if err != nil {
		it.Fail(err)
		return
	}
	next := wire.Item{Key: it.Key, Value: strconv.AppendInt(nil, sum, 10), Flags: flagInt, Expiry: date, CAS: it.CAS}
	p.replace(ctx, wire.OpCompareAndSwap, &next)
	it.OK, it.Answered, it.Err, it.Number = next.OK, true, next.Err, sum
}

// describe performs op, which does not read values, for the first pieces of items.
func (p pieced) describe(ctx context.Context, op wire.Op, items []wire.Item) {
	if op == wire.OpExpiryTime { // of one item, and not with others
		for i := range items {
			if p.first(ctx, op, &items[i]); !items[i].OK && items[i].Err == nil {
				items[i] = plainItem(items[i])
				p.do(ctx, op, &items[i])
			}
		}
		return
	}
	plain := p.find(ctx, op, items)
	for i := range items {
		if items[i].OK && !plain[i] {
			p.complete(ctx, &items[i])
		}
	}
}

// complete looks for the other pieces of an entry that Go has stored, and sets the flags
// of it, which describe the first piece, to those of a value. Of what Python has stored
// it is not known how many there are.
func (p pieced) complete(ctx context.Context, it *wire.Item) {
	if it.Flags&pythonFlags != 0 {
		return
	}
	rest := make([]wire.Item, max(piecesIn(it.Flags)-1, 0))
	for i := range rest {
		rest[i].Key = pieceKey(it.Key, i+1)
	}
	p.store.Many(ctx, wire.OpMeta, rest)
	flags := it.Flags
	it.Flags = flagPickle
	for i := range rest {
		switch piece := &rest[i]; {
		case piece.Err != nil:
			it.Fail(piece.Err)
		case !piece.OK || piece.Flags != flags:
			it.Flags = flagPart
		}
	}
}

// remove removes all pieces of items.
func (p pieced) remove(ctx context.Context, items []wire.Item) {
	n := len(items)
	both := make([]wire.Item, 2*n)
	for i, it := range items {
		both[i], both[n+i] = it, plainItem(it)
		both[i].Key = pieceKey(it.Key, 0)
	}
	p.store.Many(ctx, wire.OpDelete, both)
	var keys []string
	var ends []int
	for i := range items {
		it, conditional := &items[i], items[i].CAS != 0
		first, plain := both[i], both[n+i]
		if plain.Err == errPiece {
			plain.Err = nil
		}
		it.OK, it.Answered, it.Err, it.Flags = first.OK || plain.OK, true, cmp.Or(first.Err, plain.Err), flagPickle
		if it.Err == nil && (it.OK || !conditional) {
			keys, ends = append(keys, it.Key), append(ends, 1)
		}
	}
	p.removeRest(ctx, keys, ends)
}

// plainFlags returns the flags of a value under the key itself.
func plainFlags(it wire.Item) uint32 {
	if it.Flags == flagInt {
		return flagInt
	}
	return flagPickle
}

// removeRest removes the pieces of each key from number ends[i] on, which are left from a
// longer value, and the entry under the key itself. Flask would read the pieces after the
// first one has expired. It ignores errors: what stays expires.
func (p pieced) removeRest(ctx context.Context, keys []string, ends []int) {
	items := make([]wire.Item, 0, 2*len(keys))
	for i, key := range keys {
		items = append(items, plainItem(wire.Item{Key: key}))
		if ends[i] < maxPieces {
			items = append(items, wire.Item{Key: pieceKey(key, ends[i])})
		}
	}
	p.store.Many(ctx, wire.OpDelete, items) // skips those with an error
	var more []wire.Item
	for i, key := range keys {
		first := pieceKey(key, ends[i])
		for _, it := range items {
			if it.Key == first && it.OK {
				for n := ends[i] + 1; n < maxPieces; n++ {
					more = append(more, wire.Item{Key: pieceKey(key, n)})
				}
				break
			}
		}
	}
	p.store.Many(ctx, wire.OpDelete, more)
}
