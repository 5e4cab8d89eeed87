package filesystem

import (
	"context"
	"time"
)

// Delete removes key and reports whether it was present.
func (b *Backend) Delete(ctx context.Context, key string) (deleted bool, err error) {
	name := b.entryName(key)
	err = b.inDir(func(d *dir) error {
		return b.withLock(ctx, d, func() error {
			ok, err := exists(d, name, key)
			if err != nil {
				return err
			}
			err = b.remove(d, name)
			if !ok && err != nil { // removing an expired or corrupt file is optional, ending a lease is not
				if h, _, _ := readHead(d, name, 0); !h.expires.leased(time.Now()) {
					return nil
				}
			}
			deleted = ok && err == nil
			return err
		})
	})
	return deleted, err
}
