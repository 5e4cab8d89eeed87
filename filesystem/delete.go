package filesystem

import (
	"context"
	"time"
)

// delete removes the file called name and reports whether it held a live entry
// of key.
func (b *Backend) delete(ctx context.Context, d *dir, name, key string) (deleted bool, err error) {
	err = b.withLock(ctx, d, func() error {
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
	return deleted, err
}
