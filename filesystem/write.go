package filesystem

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"time"
)

// writeTx is a write in progress. It has three steps: stage writes the entry to
// a temporary file, publish renames that file to the name of the entry, and
// syncDir writes the name to the disk; after an error discard removes the temporary
// file. Only publish needs the lock.
type writeTx struct {
	backend *Backend
	dir     *dir
	entry   entry
	name    string // of the entry's file
	temp    string // of the temporary file; set by stage

	eviction *eviction // what the write waits for, after errNoRoom
	anyway   bool      // the write does not wait for evictions any longer
}

func (b *Backend) newWrite(d *dir, e entry) *writeTx {
	return &writeTx{backend: b, dir: d, entry: e, name: b.entryName(e.key)}
}

// store stages the entry and calls publish with the lock held, which reports whether it
// has published the entry.
func (tx *writeTx) store(ctx context.Context, publish func() (bool, error)) (stored bool, err error) {
	if err := tx.stage(ctx); err != nil {
		return false, err
	}
	err = tx.withRoom(ctx, func() (err error) {
		stored, err = publish()
		return err
	})
	if !stored || err != nil {
		tx.discard()
		return false, err
	}
	return true, tx.syncDir()
}

// rewrite stages and publishes the entry. The caller holds the lock.
func (tx *writeTx) rewrite(ctx context.Context) error {
	if err := tx.stage(ctx); err != nil {
		return err
	}
	err := tx.publish(ctx)
	if err != nil {
		tx.discard()
	}
	return err
}

// stored returns what the file of the key holds, expired or not. If the file is absent
// or corrupt, the value is nil.
func (tx *writeTx) stored() (entry, error) {
	e, err := read(tx.dir, tx.name, tx.entry.key, nil, true)
	return e, ignoreNotExist(ignoreCorrupt(err))
}

// stage writes the entry to a temporary file.
func (tx *writeTx) stage(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := tx.entry.checkSize(); err != nil {
		return err
	}
	tx.temp = tx.backend.temps.next(time.Now())
	f, err := tx.dir.create(tx.temp, fs.FileMode(tx.backend.options.Mode))
	if err != nil {
		return err
	}
	err = tx.fill(f)
	if closeErr := f.close(); err == nil { // network file systems report an exceeded quota only now
		err = closeErr
	}
	if err != nil {
		tx.discard()
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
	if _, err := tx.dir.mtime(tx.name); errors.Is(err, fs.ErrNotExist) {
		return tx.moveWithRoom(ctx, 1, tx.dir.rename)
	}
	return tx.moveWithRoom(ctx, 0, tx.dir.replace)
}

// moveWithRoom makes room for n more entries, and is move.
func (tx *writeTx) moveWithRoom(ctx context.Context, n int, move func(temp, name string) error) error {
	if err := tx.makeRoom(n); err != nil {
		return err
	}
	err := tx.move(ctx, move)
	if err != nil {
		tx.backend.usage.entries -= n
	}
	return err
}

// publishIfAbsent publishes the entry unless its key is present. The caller
// holds the lock. An absent name is taken by link, which fails if the name
// exists: Add has one winner even where the lock does not exclude other
// processes.
func (tx *writeTx) publishIfAbsent(ctx context.Context) (bool, error) {
	ok, err := exists(tx.dir, tx.name, tx.entry.key)
	switch {
	case ok:
		return false, nil
	case errors.Is(err, fs.ErrNotExist):
		err = tx.moveWithRoom(ctx, 1, tx.dir.claim)
		if errors.Is(err, fs.ErrExist) {
			if _, err = tx.dir.mtime(tx.name); err != errNotRegular {
				return false, err // a host that the lock does not exclude was faster
			}
			err = tx.move(ctx, tx.dir.replace) // a device, which its driver did not find
		}
	case err == nil: // the file is expired or corrupt
		err = tx.move(ctx, tx.dir.replace)
	}
	return err == nil, err
}

// move gives the temporary file the name of the entry. If the temporary file is
// missing, move writes it again: a Clear has removed it, or a host whose clock is
// ahead took it for one that a crash has left.
func (tx *writeTx) move(ctx context.Context, move func(temp, name string) error) error {
	const most = 3
	for attempt := 1; ; attempt++ {
		err := move(tx.temp, tx.name)
		switch {
		case !errors.Is(err, fs.ErrNotExist) || tx.dir.removed():
			return err
		case attempt == most:
			return errTempRemoved
		}
		if err := tx.stage(ctx); err != nil {
			return err
		}
	}
}

// discard removes the temporary file of a write that failed.
func (tx *writeTx) discard() error { return tx.dir.remove(tx.temp) }

// syncDir ends a write that succeeded.
func (tx *writeTx) syncDir() error {
	if tx.backend.options.Sync {
		return tx.dir.sync()
	}
	return nil
}
