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
func (tx *writeTx) inc(ctx context.Context, delta int64) (sum int64, err error) {
	ttl := tx.entry.expires
	err = tx.withRoom(ctx, func() (err error) {
		tx.entry.expires = ttl
		if sum, err = tx.increment(delta); err != nil {
			return err
		}
		if err := tx.stage(ctx); err != nil {
			return err
		}
		if err := tx.publish(ctx); err != nil {
			tx.discard()
			return err
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return sum, tx.syncDir()
}

// increment makes the entry the one under its key, increased by delta.
func (tx *writeTx) increment(delta int64) (sum int64, err error) {
	sum = delta
	old, expires, err := read(tx.dir, tx.name, tx.entry.key, true)
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
	return sum, nil
}
