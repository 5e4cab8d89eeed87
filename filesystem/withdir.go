package filesystem

import (
	"errors"
	"os"

	"github.com/cachebackends/cachebackends/core/driver"
)

// inDir runs op with the open directory. A file or a directory that does not exist is
// no error.
func (b *Backend) inDir(op func(*dir) error) error {
	return classify(ignoreNotExist(b.withDir(b.openDir, op)))
}

// write runs op with a write of e. It creates the directory if it has been removed.
func (b *Backend) write(e entry, op func(*writeTx) error) error {
	return classify(b.withDir(b.makeDir, func(d *dir) error { return op(b.newWrite(d, e)) }))
}

func (b *Backend) openDir() (*dir, error) { return openDir(b.options.Dir) }

func (b *Backend) makeDir() (*dir, error) {
	if err := os.MkdirAll(b.options.Dir, b.options.dirMode()); err != nil {
		return nil, err
	}
	return b.openDir()
}

// withDir runs op with the open directory. If the directory has been removed
// meanwhile, withDir opens it again with open and repeats op. The number of attempts
// is bounded, because a directory may be removed repeatedly.
func (b *Backend) withDir(open func() (*dir, error), op func(*dir) error) error {
	const most = 3
	for attempt := 1; ; attempt++ {
		d, removed, err := b.attempt(op)
		if !removed || attempt == most {
			return err
		}
		if err := b.reopen(d, open); err != nil {
			return err
		}
	}
}

// attempt runs op once, and reports whether it failed because the directory has been
// removed. A panic in op releases the read lock.
func (b *Backend) attempt(op func(*dir) error) (d *dir, removed bool, err error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if d = b.dir; d == nil {
		return nil, false, driver.ErrClosed
	}
	err = op(d)
	return d, errors.Is(err, errDirRemoved) || isRemoved(err) && d.removed(), err
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
	b.evictions.running.Wait()
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
	b.evictions.running.Wait()
	if b.dir != nil {
		b.dir.close()
		b.dir = nil
	}
	return nil
}
