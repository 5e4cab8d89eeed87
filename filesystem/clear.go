package filesystem

import (
	"context"
	"errors"
	"io/fs"
	"slices"
)

// clear removes all files that are ours.
func (b *Backend) clear(ctx context.Context, d *dir) error {
	names, err := d.names()
	if err != nil {
		return err
	}
	return b.removeAll(ctx, d, slices.DeleteFunc(names, func(name string) bool {
		_, temp := tempTime(name)
		return !temp && !isEntry(name)
	}))
}

// clearPrefix removes the entries whose key begins with prefix. As no key ever
// changes its name, what was found is what is removed.
func (b *Backend) clearPrefix(ctx context.Context, d *dir, prefix string) error {
	names, err := d.names()
	if err != nil {
		return err
	}
	var found []string
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !isEntry(name) {
			continue
		}
		begins, err := keyBegins(d, name, prefix)
		if err != nil {
			return err
		}
		if begins {
			found = append(found, name)
		}
	}
	return b.removeAll(ctx, d, found)
}

// removeAll lets other writers in now and then.
func (b *Backend) removeAll(ctx context.Context, d *dir, names []string) error {
	const atOnce = 64
	for some := range slices.Chunk(names, atOnce) {
		if err := b.lock(ctx, d); err != nil {
			return err
		}
		err := b.removeSome(d, some)
		b.unlock(d)
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *Backend) removeSome(d *dir, names []string) error {
	for _, name := range names {
		err := d.remove(name)
		switch {
		case err == nil && isEntry(name):
			b.entries--
		case err == nil, errors.Is(err, fs.ErrNotExist):
		case errors.Is(err, errNotRegular):
			// A directory of somebody else, under a name like ours.
		default:
			return err
		}
	}
	return nil
}
