package uwsgi

import (
	"context"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
)

// Clear removes every entry of the cache, including those of other programs. It
// requires [Options.AllowFlush], and [Options.FirstCache] if the cache has a name.
func (b *Backend) Clear(ctx context.Context) error {
	switch {
	case b.closed.Load():
		return driver.ErrClosed
	case !b.options.FirstCache && b.options.Cache != "":
		return errNotFirst
	case !b.options.AllowFlush:
		return errNoFlush
	}
	_, err := b.roundTripAgain(ctx, request{command: "clear"})
	return remote.Outcome(ctx, err, true)
}
