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
	slice   *slice
	entry   entry
	name    string // of the entry's file
	temp    string // of the temporary file; set by stage

	eviction *eviction     // what the write waits for, after errNoRoom
	turn     chan struct{} // closed when there is room for the write, after errNoRoom
	hasRoom  bool          // an entry more is counted for the write
	anyway   bool          // the write does not wait any longer
}

func (b *Backend) newWrite(s *slice, name string, e entry) *writeTx {
	return &writeTx{backend: b, slice: s, name: name, entry: e}
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
	e, err := tx.slice.read(tx.name, tx.entry.key, nil, true)
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
	f, err := tx.slice.create(tx.temp, fs.FileMode(tx.backend.options.Mode))
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
	if err := writeEntry(f, tx.backend.layout, tx.entry); err != nil {
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
func writeEntry(f file, l *layout, e entry) error {
	const small = 16 << 10
	value := l.stored(e.value)
	buffer := writeBuffers.Get().(*[]byte)
	defer writeBuffers.Put(buffer)
	*buffer = l.appendHead((*buffer)[:0], e)
	if len(value) <= small {
		*buffer = append(*buffer, value...)
		return f.write(*buffer)
	}
	if err := f.write(*buffer); err != nil {
		return err
	}
	return f.write(value)
}

// publish renames the temporary file to the name of the entry. The caller holds
// the lock.
func (tx *writeTx) publish(ctx context.Context) error {
	if _, err := tx.slice.stat(tx.name); errors.Is(err, fs.ErrNotExist) {
		return tx.moveWithRoom(ctx, 1, tx.slice.rename)
	}
	return tx.moveWithRoom(ctx, 0, tx.slice.replace)
}

// moveWithRoom makes room for n more entries, and is move.
func (tx *writeTx) moveWithRoom(ctx context.Context, n int, move func(temp, name string) error) error {
	if err := tx.makeRoom(n); err != nil {
		return err
	}
	err := tx.move(ctx, move)
	u := &tx.slice.tree.usage
	if err == nil {
		u.sized(1, tx.diskSize())
		tx.slice.uncounted += n
	} else if n > 0 {
		u.removed(tx.slice.index)
	}
	return err
}

// diskSize estimates the size of the file on the disk.
func (tx *writeTx) diskSize() int64 {
	const block = 4096
	size := int64(headerSize + len(tx.entry.key) + len(tx.entry.value))
	return (size + block - 1) / block * block
}

// publishIfAbsent publishes the entry unless its key is present. The caller
// holds the lock. An absent name is taken by link, which fails if the name
// exists: Add has one winner even where the lock does not exclude other
// processes.
func (tx *writeTx) publishIfAbsent(ctx context.Context) (bool, error) {
	ok, err := tx.slice.exists(tx.name, tx.entry.key)
	switch {
	case ok:
		return false, nil
	case errors.Is(err, fs.ErrNotExist):
		err = tx.moveWithRoom(ctx, 1, tx.slice.claim)
		if errors.Is(err, fs.ErrExist) {
			if _, err = tx.slice.stat(tx.name); err != errNotRegular {
				return false, err // a host that the lock does not exclude was faster
			}
			err = tx.move(ctx, tx.slice.replace) // a device, which its driver did not find
		}
	case err == nil: // the file is expired or corrupt
		err = tx.move(ctx, tx.slice.replace)
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
		case !errors.Is(err, fs.ErrNotExist) || tx.slice.removed():
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
func (tx *writeTx) discard() error { return tx.slice.remove(tx.temp) }

// syncDir ends a write that succeeded.
func (tx *writeTx) syncDir() error {
	if tx.backend.options.Sync {
		return tx.slice.sync()
	}
	return nil
}
