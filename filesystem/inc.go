package filesystem

import (
	"context"
	"strconv"

	"github.com/cachebackends/cachebackends/core/driver"
)

// inc adds delta to the integer under the key of the entry, or stores delta if
// the key is absent. It holds the lock from reading to writing.
func (tx *writeTx) inc(ctx context.Context, delta int64) (sum int64, err error) {
	given := tx.entry.expires
	err = tx.withRoom(ctx, func() error {
		old, err := tx.stored()
		if err != nil {
			return err
		}
		sum, tx.entry.expires = delta, given
		if old.live() {
			tx.entry.expires = old.expires
			if sum, err = driver.AddInteger(old.value, delta); err != nil {
				return err
			}
		}
		tx.entry.value = strconv.AppendInt(nil, sum, 10)
		return tx.rewrite(ctx)
	})
	if err != nil {
		return 0, err
	}
	return sum, tx.syncDir()
}
