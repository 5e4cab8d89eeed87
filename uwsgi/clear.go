package uwsgi

import (
	"context"
	"errors"
	"fmt"

	cache "github.com/cachebackends/cachebackends/core"
)

// Clear removes every entry of the cache, including those of other programs. It
// requires [Options.AllowFlush], and [Options.FirstCache] if the cache has a name.
func (b *Backend) Clear(ctx context.Context) error {
	switch {
	case b.closed.Load():
		return cache.ErrClosed
	case !b.options.FirstCache && b.options.Cache != "":
		return errNotFirst
	case !b.options.AllowFlush:
		return errNoFlush
	}
	_, err := b.roundTrip(ctx, request{command: "clear"})
	if isBroken(err) {
		_, err = b.roundTrip(ctx, request{command: "clear"})
	}
	if err == errNoReply {
		return fmt.Errorf("%w: %w", cache.ErrUnknownOutcome, err)
	}
	return failure(ctx, err, true)
}

var (
	errNotFirst = fmt.Errorf("%w: the server can clear only its first cache: for another one it reports success and clears "+
		"a part of it, or crashes; FirstCache (first_cache in CACHE_OPTIONS) states that this is the first", errors.ErrUnsupported)
	errNoFlush = fmt.Errorf("%w: Clear without a prefix removes the entries of all programs; AllowFlush (CACHE_ALLOW_FLUSH) permits it",
		errors.ErrUnsupported)
)
