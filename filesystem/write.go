package filesystem

import (
	"context"
	"errors"
	"io/fs"
	"sync"
)

// set stores e under name.
func (b *Backend) set(ctx context.Context, d *dir, name string, e entry) error {
	temp, err := b.stage(ctx, d, e)
	if err != nil {
		return err
	}
	if err = b.lock(ctx, d); err == nil {
		err = b.publish(ctx, d, temp, name, e)
		b.unlock(d)
	}
	return b.settle(d, temp, err)
}

// add stores e under name where nothing alive has it.
func (b *Backend) add(ctx context.Context, d *dir, name string, e entry) (added bool, err error) {
	if there, err := alive(d, name, e.key); there {
		return false, err
	}
	temp, err := b.stage(ctx, d, e)
	if err != nil {
		return false, err
	}
	if err = b.lock(ctx, d); err == nil {
		added, err = b.publishFirst(ctx, d, temp, name, e)
		b.unlock(d)
	}
	if !added {
		d.remove(temp)
		return false, err
	}
	return true, b.settle(d, temp, nil)
}

// delete removes what is under name and reports whether it was alive.
func (b *Backend) delete(ctx context.Context, d *dir, name, key string) (bool, error) {
	if err := b.lock(ctx, d); err != nil {
		return false, err
	}
	defer b.unlock(d)
	there, err := alive(d, name, key)
	if err != nil {
		return false, err
	}
	err = d.remove(name)
	if err == nil {
		b.entries--
	}
	if !there { // what was left of an entry goes as well, if it can
		return false, nil
	}
	return err == nil, err
}

var pages = sync.Pool{New: func() any { return new([]byte) }}

// stage writes e to a temporary file, complete but for its name.
func (b *Backend) stage(ctx context.Context, d *dir, e entry) (temp string, err error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	temp = b.temps.next(e.written)
	f, err := d.create(temp, b.options.Mode)
	if err != nil {
		return "", err
	}
	err = writeEntry(f, e)
	if err == nil && b.options.Mode&0o077 != 0 { // what the umask may have taken away
		err = f.chmod(b.options.Mode)
	}
	if err == nil {
		err = f.finish(e.mtime(), b.options.Sync)
	}
	if closing := f.close(); err == nil { // quotas of network file systems speak up here
		err = closing
	}
	if err != nil {
		d.remove(temp)
	}
	return temp, err
}

// writeEntry copies a small value behind its head, for one call of the system in
// place of two.
func writeEntry(f file, e entry) error {
	const small = 16 << 10
	page := pages.Get().(*[]byte)
	defer pages.Put(page)
	*page = e.appendHead((*page)[:0])
	if len(e.value) <= small {
		*page = append(*page, e.value...)
		return f.write(*page)
	}
	if err := f.write(*page); err != nil {
		return err
	}
	return f.write(e.value)
}

// publish gives temp its name. The caller holds the lock.
func (b *Backend) publish(ctx context.Context, d *dir, temp, name string, e entry) error {
	_, err := d.mtime(name)
	if !errors.Is(err, fs.ErrNotExist) {
		if err := b.makeRoom(ctx, d, e.written, 0); err != nil {
			return err
		}
		return unlessCleared(d, d.replace(temp, name))
	}
	if err := b.makeRoom(ctx, d, e.written, 1); err != nil {
		return err
	}
	return unlessCleared(d, d.rename(temp, name))
}

// publishFirst is publish where nothing alive has the name. It links: even where
// the lock holds nobody off, an absent key has one winner.
func (b *Backend) publishFirst(ctx context.Context, d *dir, temp, name string, e entry) (bool, error) {
	there, err := alive(d, name, e.key)
	if there {
		return false, nil
	}
	if err == nil { // expired or damaged
		err = unlessCleared(d, d.replace(temp, name))
		return err == nil, err
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if err := b.makeRoom(ctx, d, e.written, 1); err != nil {
		return false, err
	}
	err = d.link(temp, name)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	d.remove(temp)
	err = unlessCleared(d, err)
	return err == nil, err
}

// unlessCleared forgives that a temporary file is gone: a Clear took it, and its
// entry counts as stored just before.
func unlessCleared(d *dir, err error) error {
	if errors.Is(err, fs.ErrNotExist) && !d.lost() {
		return nil
	}
	return err
}

// settle ends a write that has or has not got its name.
func (b *Backend) settle(d *dir, temp string, err error) error {
	if err != nil {
		d.remove(temp)
		return err
	}
	if b.options.Sync {
		return d.sync()
	}
	return nil
}
