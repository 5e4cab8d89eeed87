package filesystem

import (
	"context"
	"errors"
	"io/fs"
	"strconv"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// inc adds delta to the integer under the key of the entry, or stores delta if
// the key is absent. It holds the lock from reading to writing.
func (tx *writeTx) inc(ctx context.Context, delta int64) (int64, error) {
	if err := tx.backend.lock(ctx, tx.dir); err != nil {
		return 0, err
	}
	defer tx.backend.unlock(tx.dir)
	sum := delta
	old, expires, err := load(tx.dir, tx.name, tx.entry.key)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, driver.ErrCorrupt):
		// absent
	case err != nil:
		return 0, err
	case !expires.expired(time.Now()):
		if sum, err = driver.AddInteger(old, delta); err != nil {
			return 0, err
		}
		tx.entry.expires = expires
	}
	tx.entry.value = strconv.AppendInt(nil, sum, 10)
	if err := tx.stage(ctx); err != nil {
		return 0, err
	}
	return sum, tx.finish(tx.publish(ctx))
}
