package filesystem

import "context"

// delete removes the file called name and reports whether it held a live entry
// of key.
func (b *Backend) delete(ctx context.Context, d *dir, name, key string) (deleted bool, err error) {
	err = b.withLock(ctx, d, func() error {
		ok, err := exists(d, name, key)
		if err != nil {
			return err
		}
		err = b.remove(d, name)
		if !ok { // an expired or corrupt file: removing it is optional
			return nil
		}
		deleted = err == nil
		return err
	})
	return deleted, err
}
