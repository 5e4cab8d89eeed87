package filesystem

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
)

// Clear removes the files of all entries and all temporary files of this
// package. It leaves every other file, and the directories, in place.
func (b *Backend) Clear(ctx context.Context) error {
	return b.removeAll(ctx, func(_ *slice, name string) (bool, error) {
		_, temp := b.layout.tempTime(name)
		return temp || b.layout.isEntry(name), nil
	})
}

// ClearPrefix removes the entries whose key begins with prefix. It opens every file of
// the directory, without the lock: the key behind a name never changes. With
// [Options.Flask] it returns an error wrapping [errors.ErrUnsupported], because the files
// do not contain the keys.
func (b *Backend) ClearPrefix(ctx context.Context, prefix string) error {
	if b.layout.flask {
		return b.inSliceAt(0, func(*slice) error { return errNoKeys })
	}
	return b.removeAll(ctx, func(s *slice, name string) (bool, error) {
		if !b.layout.isEntry(name) {
			return false, nil
		}
		_, key, err := s.readHead(name, len(prefix))
		return err == nil && key == prefix, ignoreNotExist(ignoreCorrupt(err))
	})
}

// removeAll removes the files that match, slice by slice. One that cannot be removed does
// not keep the others: the error names the first one and their number.
func (b *Backend) removeAll(ctx context.Context, matches func(s *slice, name string) (bool, error)) error {
	var held heldFiles
	for index := range b.layout.fanOut {
		err := b.inSliceAt(index, func(s *slice) error { return b.removeFrom(ctx, s, matches, &held) })
		if err = ignoreCorrupt(err); err != nil { // corrupt: a foreign file in place of the fan-out directory
			return err
		}
	}
	if b.layout.flask {
		if err := b.inSliceAt(0, func(s *slice) error { return b.correctCount(ctx, s.tree) }); err != nil {
			return err
		}
	}
	return classify(held.err())
}

// removeFrom is removeAll for one slice.
func (b *Backend) removeFrom(ctx context.Context, s *slice, matches func(s *slice, name string) (bool, error), held *heldFiles) error {
	names, err := s.names(0)
	if err != nil {
		return err
	}
	found := names[:0]
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		ok, err := matches(s, name)
		if err != nil {
			return err
		}
		if ok {
			found = append(found, name)
		}
	}
	const chunkSize = 16 // after which writers get the lock
	for chunk := range slices.Chunk(found, chunkSize) {
		err := b.withLock(ctx, s, func() error {
			for _, name := range chunk {
				err := s.removeEntry(name)
				switch {
				case errors.Is(err, errNotRegular): // a foreign directory whose name has our pattern
				case isHeld(err):
					held.add(err)
				case ignoreNotExist(err) != nil:
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

// heldFiles are files that could not be removed.
type heldFiles struct {
	first error
	count int
}

func (h *heldFiles) add(err error) {
	h.first = cmp.Or(h.first, err)
	h.count++
}

func (h *heldFiles) err() error {
	if h.count <= 1 {
		return h.first
	}
	return fmt.Errorf("%d files: %w", h.count, h.first)
}

// removeEntry removes the file called name. The caller holds the lock.
func (s *slice) removeEntry(name string) error {
	err := s.remove(name)
	if err == nil && s.tree.layout.isEntry(name) {
		s.tree.usage.removed(s.index)
		s.uncounted--
	}
	return err
}
