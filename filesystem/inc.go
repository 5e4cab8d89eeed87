package filesystem

import (
	"context"
	"strconv"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Inc adds delta to the integer under key, atomically across all processes. It holds
// the lock from reading to writing.
func (b *Backend) Inc(ctx context.Context, key string, delta int64, ttl time.Duration) (sum int64, err error) {
	given := b.newEntry(key, nil, ttl)
	err = b.write(given, func(tx *writeTx) error {
		err := tx.withRoom(ctx, func() error {
			old, err := tx.stored()
			if err != nil {
				return err
			}
			sum, tx.entry.expires = delta, given.expires
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
			sum = 0
			return err
		}
		return tx.syncDir()
	})
	return sum, err
}
