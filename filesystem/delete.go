package filesystem

import "context"

// delete removes the file called name and reports whether it held a live entry
// of key.
func (b *Backend) delete(ctx context.Context, d *dir, name, key string) (bool, error) {
	if err := b.lock(ctx, d); err != nil {
		return false, err
	}
	defer b.unlock(d)
	ok, err := exists(d, name, key)
	if err != nil {
		return false, err
	}
	err = d.remove(name)
	if err == nil {
		b.usage.entries--
	}
	if !ok { // an expired or corrupt file: removing it is optional
		return false, nil
	}
	return err == nil, err
}
