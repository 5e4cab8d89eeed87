package filesystem

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// clear removes the files of all entries and all temporary files.
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

// clearPrefix removes the entries whose key begins with prefix. It looks for
// them without the lock: the key behind a name never changes.
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
		ok, err := keyHasPrefix(d, name, prefix)
		if err != nil {
			return err
		}
		if ok {
			found = append(found, name)
		}
	}
	return b.removeAll(ctx, d, found)
}

// removeAll releases the lock after every chunk, so that writers need not wait
// for the whole of a Clear. A file that cannot be removed does not keep the others:
// the error names the first one and their number.
func (b *Backend) removeAll(ctx context.Context, d *dir, names []string) error {
	const chunkSize = 64
	var held heldFiles
	for chunk := range slices.Chunk(names, chunkSize) {
		err := b.withLock(ctx, d, func() error { return b.removeChunk(d, chunk, &held) })
		if err != nil {
			return err
		}
	}
	return held.err()
}

// heldFiles are the files that a Clear could not remove.
type heldFiles struct {
	first error
	count int
}

func (h heldFiles) err() error {
	if h.count <= 1 {
		return h.first
	}
	return fmt.Errorf("%d files: %w", h.count, h.first)
}

// removeChunk removes files. The caller holds the lock.
func (b *Backend) removeChunk(d *dir, names []string, held *heldFiles) error {
	for _, name := range names {
		err := d.remove(name)
		switch {
		case err == nil && isEntry(name):
			b.usage.entries--
		case err == nil, errors.Is(err, fs.ErrNotExist):
		case errors.Is(err, errNotRegular):
			// A foreign directory whose name has our pattern.
		case isHeld(err):
			held.count++
			if held.first == nil {
				held.first = err
			}
		default:
			return err
		}
	}
	return nil
}
