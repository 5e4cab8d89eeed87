package filesystem

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Backend is a [driver.Backend] that keeps its entries in one directory. It is
// safe for concurrent use, and any number of Backends, in one process or in
// several, may share a directory.
type Backend struct {
	options   Options
	entryName func(key string) string // name of the file that holds key
	temps     *tempNames

	mu      sync.RWMutex  // read-locked during every operation
	dir     *dir          // nil after Close
	closing chan struct{} // closed by Close; ends every wait for the lock
	close   func()        // closes closing, once

	writer    chan struct{} // holds one element while a goroutine of this Backend has the lock
	usage     usage         // guarded by the lock
	evictions evictions
}

// New opens the directory o.Dir, creates it if it does not exist, and removes
// the temporary files that a crash has left in it. If the directory cannot be
// used, the error wraps [driver.ErrUnavailable] and the error of the file system.
// Invalid options are [driver.ErrInvalidSettings].
func New(_ context.Context, o Options) (*Backend, error) {
	if err := driver.Complete(&o); err != nil {
		return nil, fmt.Errorf("filesystem: %w", err)
	}
	var err error
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, classify(err)
	}
	b := &Backend{
		options:   o,
		entryName: o.hashMethod(),
		temps:     newTempNames(),
		closing:   make(chan struct{}),
		writer:    make(chan struct{}, 1),
	}
	b.close = sync.OnceFunc(func() { close(b.closing) })
	if b.dir, err = b.makeDir(); err != nil {
		return nil, classify(err)
	}
	if err := b.count(b.dir, time.Now()); err != nil {
		b.dir.close()
		return nil, classify(err)
	}
	return b, nil
}

// Get returns the value of key. The caller owns the slice. If the file of key
// does not hold a valid entry of key, the error wraps [driver.ErrCorrupt].
func (b *Backend) Get(_ context.Context, key string) (value []byte, ok bool, err error) {
	name := b.entryName(key)
	var expires expiry
	err = b.withDir(b.openDir, func(d *dir) (err error) {
		value, expires, err = read(d, name, key, true)
		return err
	})
	if err != nil || expires.expired(time.Now()) {
		return nil, false, classify(ignoreNotExist(err))
	}
	return value, true, nil
}

// Has reports whether key is present. It reads the file and verifies its checksum, so
// that its answer is that of Get.
func (b *Backend) Has(_ context.Context, key string) (ok bool, err error) {
	name := b.entryName(key)
	err = b.withDir(b.openDir, func(d *dir) (err error) {
		ok, err = exists(d, name, key)
		return err
	})
	return ok, classify(ignoreNotExist(err))
}

// TTL returns the remaining TTL of key; 0 with ok=true means that key never
// expires.
func (b *Backend) TTL(_ context.Context, key string) (ttl time.Duration, ok bool, err error) {
	name := b.entryName(key)
	var expires expiry
	err = b.withDir(b.openDir, func(d *dir) (err error) {
		_, expires, err = read(d, name, key, false)
		return err
	})
	now := time.Now()
	if err != nil || expires.expired(now) {
		return 0, false, classify(ignoreNotExist(ignoreCorrupt(err)))
	}
	return expires.remaining(now), true, nil
}

// Set stores value under key. If the disk is full, the error wraps
// [driver.ErrFull] and the old value remains.
func (b *Backend) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	e := newEntry(key, value, ttl)
	return classify(b.withDir(b.makeDir, func(d *dir) error { return b.newWrite(d, e).set(ctx) }))
}

// Add stores value under key if key is absent. Of concurrent calls in all
// processes exactly one succeeds.
func (b *Backend) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (added bool, err error) {
	e := newEntry(key, value, ttl)
	err = b.withDir(b.makeDir, func(d *dir) (err error) {
		added, err = b.newWrite(d, e).add(ctx)
		return err
	})
	return added, classify(err)
}

// Inc adds delta to the integer under key, atomically across all processes.
func (b *Backend) Inc(ctx context.Context, key string, delta int64, ttl time.Duration) (sum int64, err error) {
	e := newEntry(key, nil, ttl)
	err = b.withDir(b.makeDir, func(d *dir) (err error) {
		sum, err = b.newWrite(d, e).inc(ctx, delta)
		return err
	})
	return sum, classify(err)
}

// Delete removes key and reports whether it was present.
func (b *Backend) Delete(ctx context.Context, key string) (deleted bool, err error) {
	name := b.entryName(key)
	err = b.withDir(b.openDir, func(d *dir) (err error) {
		deleted, err = b.delete(ctx, d, name, key)
		return err
	})
	return deleted, classify(ignoreNotExist(err))
}

// Clear removes the files of all entries and all temporary files of this
// package. It leaves every other file, and the directory itself, in place.
func (b *Backend) Clear(ctx context.Context) error {
	return classify(ignoreNotExist(b.withDir(b.openDir, func(d *dir) error { return b.clear(ctx, d) })))
}

// ClearPrefix removes the entries whose key begins with prefix. It opens every
// file of the directory.
func (b *Backend) ClearPrefix(ctx context.Context, prefix string) error {
	return classify(ignoreNotExist(b.withDir(b.openDir, func(d *dir) error { return b.clearPrefix(ctx, d, prefix) })))
}

// Ping writes a temporary file and removes it.
func (b *Backend) Ping(ctx context.Context) error {
	e := newEntry("", nil, 0)
	return classify(b.withDir(b.makeDir, func(d *dir) error {
		tx := b.newWrite(d, e)
		if err := tx.stage(ctx); err != nil {
			return err
		}
		return ignoreNotExist(d.remove(tx.temp))
	}))
}

// CopiesValues returns true: values are copied to and from files.
func (b *Backend) CopiesValues() bool { return true }

var (
	_ driver.Backend       = (*Backend)(nil)
	_ driver.Haser         = (*Backend)(nil)
	_ driver.Counter       = (*Backend)(nil)
	_ driver.PrefixClearer = (*Backend)(nil)
	_ driver.TTLer         = (*Backend)(nil)
	_ driver.Pinger        = (*Backend)(nil)
	_ driver.Copier        = (*Backend)(nil)
	_ driver.Leaser        = (*Backend)(nil)
	_ driver.Swapper       = (*Backend)(nil)
)
