package memcached

import (
	"context"
	"strings"

	"github.com/cachebackends/cachebackends/memcached/internal/wire"
)

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

// entries returns the entries whose pieces are among the items of a server. An item under
// the key itself is an entry if there are no pieces. Sizes are unknown: the first piece
// does not have the size of the value.
func (p pieced) entries(ctx context.Context, items []wire.Item, prefix string) ([]wire.Item, error) {
	var found, plain []wire.Item
	for _, it := range items {
		entry, n, isPiece := cutPiece(it.Key)
		it.Number = -1
		switch {
		case !it.OK, isPiece && (n > 0 || !strings.HasPrefix(entry, prefix)):
		case !isPiece:
			plain = append(plain, it)
		default:
			it.Key = entry
			if p.complete(ctx, &it); it.Err != nil {
				return nil, it.Err
			}
			found = append(found, it)
		}
	}
	pieces := make([]wire.Item, len(plain))
	for i, it := range plain {
		pieces[i].Key = pieceKey(it.Key, 0)
	}
	p.store.Many(ctx, wire.OpMeta, pieces)
	for i, it := range plain {
		switch {
		case pieces[i].Err != nil:
			return nil, pieces[i].Err
		case !pieces[i].OK:
			found = append(found, it)
		}
	}
	return found, nil
}
