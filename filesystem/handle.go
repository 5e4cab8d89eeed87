package filesystem

import (
	"errors"
	"io/fs"
	"os"

	cache "github.com/cachebackends/cachebackends/core"
)

func (b *Backend) openDir() (*dir, error) { return openDir(b.options.Dir) }

func (b *Backend) makeDir() (*dir, error) {
	if err := os.MkdirAll(b.options.Dir, b.options.dirMode()); err != nil {
		return nil, err
	}
	return b.openDir()
}

// in runs op in the directory. Where that turns out to have been removed, it opens
// the one that has taken its place and runs op again.
func (b *Backend) in(open func() (*dir, error), op func(*dir) error) error {
	for {
		b.mu.RLock()
		d := b.dir
		if d == nil {
			b.mu.RUnlock()
			return cache.ErrClosed
		}
		err := op(d)
		lost := errors.Is(err, fs.ErrNotExist) && d.lost()
		b.mu.RUnlock()
		if !lost {
			return err
		}
		if err := b.reopen(d, open); err != nil {
			return err
		}
	}
}

// reopen replaces lost, unless somebody else has done so.
func (b *Backend) reopen(lost *dir, open func() (*dir, error)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dir != lost {
		return nil
	}
	d, err := open()
	if err != nil {
		return err
	}
	lost.close()
	b.dir = d
	b.census = census{}
	return nil
}

// Close waits for operations under way; those that wait for another writer end
// with [cache.ErrClosed].
func (b *Backend) Close() error {
	b.close()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dir != nil {
		b.dir.close()
		b.dir = nil
	}
	return nil
}
