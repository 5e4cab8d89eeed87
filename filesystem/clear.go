package filesystem

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
)

// Clear removes the files of all entries and all temporary files of this
// package. It leaves every other file, and the directory itself, in place.
func (b *Backend) Clear(ctx context.Context) error {
	return b.inDir(func(d *dir) error {
		names, err := d.names()
		if err != nil {
			return err
		}
		return b.removeAll(ctx, d, slices.DeleteFunc(names, func(name string) bool {
			_, temp := tempTime(name)
			return !temp && !isEntry(name)
		}))
	})
}

// ClearPrefix removes the entries whose key begins with prefix. It opens every file of
// the directory, without the lock: the key behind a name never changes.
func (b *Backend) ClearPrefix(ctx context.Context, prefix string) error {
	return b.inDir(func(d *dir) error {
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
			_, key, err := readHead(d, name, len(prefix))
			if err == nil && key == prefix {
				found = append(found, name)
			} else if err = ignoreNotExist(ignoreCorrupt(err)); err != nil {
				return err
			}
		}
		return b.removeAll(ctx, d, found)
	})
}

// removeAll removes files. One that cannot be removed does not keep the others: the
// error names the first one and their number.
func (b *Backend) removeAll(ctx context.Context, d *dir, names []string) error {
	var first error
	count := 0
	err := eachLocked(ctx, b, d, names, func(name string) error {
		err := b.remove(d, name)
		switch {
		case errors.Is(err, errNotRegular): // a foreign directory whose name has our pattern
			return nil
		case isHeld(err):
			first = cmp.Or(first, err)
			count++
			return nil
		}
		return ignoreNotExist(err)
	})
	if err != nil || count <= 1 {
		return cmp.Or(err, first)
	}
	return fmt.Errorf("%d files: %w", count, first)
}

// eachLocked calls op for each element of all with the lock held. It releases the lock
// after every chunk, so that writers need not wait for the whole.
func eachLocked[T any](ctx context.Context, b *Backend, d *dir, all []T, op func(T) error) error {
	const chunkSize = 64
	for chunk := range slices.Chunk(all, chunkSize) {
		err := b.withLock(ctx, d, func() error {
			for _, x := range chunk {
				if err := op(x); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// remove removes the file called name. The caller holds the lock.
func (b *Backend) remove(d *dir, name string) error {
	err := d.remove(name)
	if err == nil && isEntry(name) {
		b.usage.entries--
	}
	return err
}
