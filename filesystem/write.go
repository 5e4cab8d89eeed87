package filesystem

import (
	"context"
	"errors"
	"io/fs"
	"sync"
)

// writeTx is a write in progress. It has three steps: stage writes the entry to
// a temporary file, publish renames that file to the name of the entry, and
// finish either syncs the directory or, after an error, removes the temporary
// file. Only publish needs the lock.
type writeTx struct {
	backend *Backend
	dir     *dir
	entry   entry
	name    string // of the entry's file
	temp    string // of the temporary file; set by stage
}

func (b *Backend) newWrite(d *dir, e entry) *writeTx {
	return &writeTx{backend: b, dir: d, entry: e, name: b.entryName(e.key)}
}

// set stores the entry.
func (tx *writeTx) set(ctx context.Context) error {
	if err := tx.stage(ctx); err != nil {
		return err
	}
	err := tx.backend.lock(ctx, tx.dir)
	if err == nil {
		err = tx.publish(ctx)
		tx.backend.unlock(tx.dir)
	}
	return tx.finish(err)
}

// add stores the entry if its key is absent.
func (tx *writeTx) add(ctx context.Context) (added bool, err error) {
	// The common case needs no temporary file. An error here occurs again below.
	if ok, _ := exists(tx.dir, tx.name, tx.entry.key); ok {
		return false, nil
	}
	if err := tx.stage(ctx); err != nil {
		return false, err
	}
	err = tx.backend.lock(ctx, tx.dir)
	if err == nil {
		added, err = tx.publishIfAbsent(ctx)
		tx.backend.unlock(tx.dir)
	}
	if !added && err == nil {
		tx.dir.remove(tx.temp)
		return false, nil
	}
	return added, tx.finish(err)
}

// stage writes the entry to a temporary file.
func (tx *writeTx) stage(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	tx.temp = tx.backend.temps.next(tx.entry.written)
	f, err := tx.dir.create(tx.temp, fs.FileMode(tx.backend.options.Mode))
	if err != nil {
		return err
	}
	err = tx.fill(f)
	if closeErr := f.close(); err == nil { // network file systems report an exceeded quota only now
		err = closeErr
	}
	if err != nil {
		tx.dir.remove(tx.temp)
	}
	return err
}

// fill gives the temporary file its content and its attributes.
func (tx *writeTx) fill(f file) error {
	o := tx.backend.options
	if err := writeEntry(f, tx.entry); err != nil {
		return err
	}
	if o.Mode&0o077 != 0 { // the umask may have removed these permissions
		if err := f.chmod(fs.FileMode(o.Mode)); err != nil {
			return err
		}
	}
	if err := f.setTime(tx.entry.mtime()); err != nil {
		return err
	}
	if o.Sync {
		return f.sync()
	}
	return nil
}

var writeBuffers = sync.Pool{New: func() any { return new([]byte) }}

// writeEntry writes a small entry with one system call. The value of a large
// entry is not copied but written by a second call.
func writeEntry(f file, e entry) error {
	const small = 16 << 10
	buffer := writeBuffers.Get().(*[]byte)
	defer writeBuffers.Put(buffer)
	*buffer = e.appendHead((*buffer)[:0])
	if len(e.value) <= small {
		*buffer = append(*buffer, e.value...)
		return f.write(*buffer)
	}
	if err := f.write(*buffer); err != nil {
		return err
	}
	return f.write(e.value)
}

// publish renames the temporary file to the name of the entry. The caller holds
// the lock.
func (tx *writeTx) publish(ctx context.Context) error {
	_, err := tx.dir.mtime(tx.name)
	if errors.Is(err, fs.ErrNotExist) {
		if err := tx.makeRoom(ctx, 1); err != nil {
			return err
		}
		return tx.unlessCleared(tx.dir.rename(tx.temp, tx.name))
	}
	if err := tx.makeRoom(ctx, 0); err != nil {
		return err
	}
	return tx.unlessCleared(tx.dir.replace(tx.temp, tx.name))
}

// publishIfAbsent publishes the entry unless its key is present. The caller
// holds the lock. An absent name is taken by link, which fails if the name
// exists: Add has one winner even where the lock does not exclude other
// processes.
func (tx *writeTx) publishIfAbsent(ctx context.Context) (bool, error) {
	ok, err := exists(tx.dir, tx.name, tx.entry.key)
	if ok {
		return false, nil
	}
	if err == nil { // the file is expired or corrupt
		err = tx.unlessCleared(tx.dir.replace(tx.temp, tx.name))
		return err == nil, err
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if err := tx.makeRoom(ctx, 1); err != nil {
		return false, err
	}
	err = tx.dir.link(tx.temp, tx.name)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	tx.dir.remove(tx.temp)
	err = tx.unlessCleared(err)
	return err == nil, err
}

// makeRoom is the eviction before a write which adds n entries, 0 or 1.
func (tx *writeTx) makeRoom(ctx context.Context, n int) error {
	return tx.backend.makeRoom(ctx, tx.dir, tx.entry.written, n)
}

// unlessCleared returns nil if the temporary file is missing because a Clear
// removed it: the entry counts as stored immediately before that Clear.
func (tx *writeTx) unlessCleared(err error) error {
	if errors.Is(err, fs.ErrNotExist) && !tx.dir.removed() {
		return nil
	}
	return err
}

// finish ends the write. err is the error of publish or of the lock.
func (tx *writeTx) finish(err error) error {
	if err != nil {
		tx.dir.remove(tx.temp)
		return err
	}
	if tx.backend.options.Sync {
		return tx.dir.sync()
	}
	return nil
}
