package filesystem

import (
	"errors"
	"io/fs"
	"os"

	"github.com/cachebackends/cachebackends/core/driver"
)

func (b *Backend) openDir() (*dir, error) { return openDir(b.options.Dir) }

func (b *Backend) makeDir() (*dir, error) {
	if err := os.MkdirAll(b.options.Dir, b.options.dirMode()); err != nil {
		return nil, err
	}
	return b.openDir()
}

// withDir runs op with the open directory. If the directory has been removed
// meanwhile, withDir opens it again with open and repeats op.
func (b *Backend) withDir(open func() (*dir, error), op func(*dir) error) error {
	for {
		b.mu.RLock()
		d := b.dir
		if d == nil {
			b.mu.RUnlock()
			return driver.ErrClosed
		}
		err := op(d)
		removed := errors.Is(err, fs.ErrNotExist) && d.removed()
		b.mu.RUnlock()
		if !removed {
			return err
		}
		if err := b.reopen(d, open); err != nil {
			return err
		}
	}
}

// reopen replaces the removed directory, unless another goroutine already has.
func (b *Backend) reopen(removed *dir, open func() (*dir, error)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dir != removed {
		return nil
	}
	d, err := open()
	if err != nil {
		return err
	}
	removed.close()
	b.dir = d
	b.usage = usage{}
	return nil
}

// Close waits for the calls in progress; those which wait for the lock return
// [driver.ErrClosed]. Close always returns nil.
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
