package memcached

import (
	"context"
	"errors"
	"fmt"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/memcached/internal/wire"
)

// Clear empties every server, if Options.AllowFlush permits it.
func (b *Backend) Clear(ctx context.Context) error {
	if b.closed.Load() {
		return driver.ErrClosed
	}
	if !b.options.AllowFlush {
		return errNoFlush
	}
	return b.store.Each(ctx, wire.OpFlush)
}

var errNoFlush = fmt.Errorf("%w: Clear without a prefix would empty whole servers, "+
	"including the entries of other programs; AllowFlush (CACHE_ALLOW_FLUSH) permits it", errors.ErrUnsupported)

// ClearPrefix makes every server list its keys and removes those with the prefix, a
// thousand per round trip. It takes time in proportion to all keys of the servers. A key of
// a part of a large value has the prefix if the key of the value has it.
func (b *Backend) ClearPrefix(ctx context.Context, prefix string) error {
	if b.closed.Load() {
		return driver.ErrClosed
	}
	if b.meta == nil {
		return errNoMeta
	}
	parts := wire.Parts{Entry: cutChunk, Flags: func(flags uint32) bool { return flags == flagChunk }}
	if _, ok := b.store.(pieced); ok {
		parts = wire.Parts{Entry: entryOfPiece, Flags: func(flags uint32) bool { return flags&pythonFlags == 0 }}
	}
	return b.meta.ClearPrefix(ctx, prefix, parts)
}
