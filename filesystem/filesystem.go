package filesystem

import (
	"context"
	"fmt"
	"sync"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// Backend is a directory of entries. It is safe for concurrent use, and any
// number of Backends, in one process or in many, may have the same directory.
type Backend struct {
	options   Options
	entryName func(key string) string // of the file that holds key
	temps     *tempNames

	mu      sync.RWMutex  // read-locked during every operation
	dir     *dir          // nil after Close
	closing chan struct{} // closed by close, for those who wait
	close   func()

	writer chan struct{} // holds a token while somebody changes names
	census               // belongs to whoever put it there
}

// New opens the directory of o, makes it where it does not exist, and removes
// what a crash left in it. A directory that cannot be used is
// [cache.ErrUnavailable], which also wraps what the file system said.
func New(_ context.Context, o Options) (*Backend, error) {
	o, err := o.resolved()
	if err != nil {
		return nil, fmt.Errorf("filesystem: %w", err)
	}
	b := &Backend{
		options:   o,
		entryName: hashMethods[o.HashMethod],
		temps:     newTempNames(),
		closing:   make(chan struct{}),
		writer:    make(chan struct{}, 1),
	}
	b.close = sync.OnceFunc(func() { close(b.closing) })
	if b.dir, err = b.makeDir(); err != nil {
		return nil, fault(err)
	}
	if err := b.begin(b.dir, time.Now()); err != nil {
		b.dir.close()
		return nil, fault(err)
	}
	return b, nil
}

// Get returns the value of key in memory of its own. A file that cannot be the
// entry of key is [cache.ErrCorrupt].
func (b *Backend) Get(_ context.Context, key string) (value []byte, ok bool, err error) {
	name := b.entryName(key)
	var expires deadline
	err = b.in(b.openDir, func(d *dir) (err error) {
		value, expires, err = load(d, name, key)
		return err
	})
	if err != nil || expires.expired(time.Now()) {
		return nil, false, fault(ignoreAbsence(err))
	}
	return value, true, nil
}

// Has reports whether there is an entry under key: from the modification time of
// its file alone, where that leaves no doubt.
func (b *Backend) Has(_ context.Context, key string) (ok bool, err error) {
	name := b.entryName(key)
	err = b.in(b.openDir, func(d *dir) (err error) {
		ok, err = alive(d, name, key)
		return err
	})
	return ok, fault(ignoreAbsence(err))
}

// TTL returns the remaining life of key; 0 with ok=true never expires.
func (b *Backend) TTL(_ context.Context, key string) (ttl time.Duration, ok bool, err error) {
	name := b.entryName(key)
	var expires deadline
	err = b.in(b.openDir, func(d *dir) (err error) {
		_, expires, err = load(d, name, key)
		return err
	})
	now := time.Now()
	if err != nil || expires.expired(now) {
		return 0, false, fault(ignoreAbsence(ignoreDamage(err)))
	}
	return expires.remaining(now), true, nil
}

// Set stores value under key. A full disk is [cache.ErrFull] and leaves the old
// value as it was.
func (b *Backend) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	name, e := b.entryName(key), newEntry(key, value, ttl)
	return fault(b.in(b.makeDir, func(d *dir) error { return b.set(ctx, d, name, e) }))
}

// Add stores value where key is absent, and has one winner across all processes.
func (b *Backend) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (added bool, err error) {
	name, e := b.entryName(key), newEntry(key, value, ttl)
	err = b.in(b.makeDir, func(d *dir) (err error) {
		added, err = b.add(ctx, d, name, e)
		return err
	})
	return added, fault(err)
}

// Inc adds delta to the integer under key, atomically across all processes.
func (b *Backend) Inc(ctx context.Context, key string, delta int64, ttl time.Duration) (sum int64, err error) {
	name, e := b.entryName(key), newEntry(key, nil, ttl)
	err = b.in(b.makeDir, func(d *dir) (err error) {
		sum, err = b.inc(ctx, d, name, e, delta)
		return err
	})
	return sum, fault(err)
}

// Delete removes key and reports whether it was there.
func (b *Backend) Delete(ctx context.Context, key string) (deleted bool, err error) {
	name := b.entryName(key)
	err = b.in(b.openDir, func(d *dir) (err error) {
		deleted, err = b.delete(ctx, d, name, key)
		return err
	})
	return deleted, fault(ignoreAbsence(err))
}

// Clear removes the files of all entries and of writes under way, and leaves
// every other file and the directory where they are.
func (b *Backend) Clear(ctx context.Context) error {
	return fault(ignoreAbsence(b.in(b.openDir, func(d *dir) error { return b.clear(ctx, d) })))
}

// ClearPrefix removes the entries whose key begins with prefix. It looks into
// every file of the directory.
func (b *Backend) ClearPrefix(ctx context.Context, prefix string) error {
	return fault(ignoreAbsence(b.in(b.openDir, func(d *dir) error { return b.clearPrefix(ctx, d, prefix) })))
}

// Ping writes a temporary file and removes it.
func (b *Backend) Ping(ctx context.Context) error {
	return fault(b.in(b.makeDir, func(d *dir) error {
		temp, err := b.stage(ctx, d, newEntry("", nil, 0))
		if err != nil {
			return err
		}
		return ignoreAbsence(d.remove(temp))
	}))
}

// CopiesValues spares Cache its copies: values are in files.
func (b *Backend) CopiesValues() bool { return true }

var (
	_ cache.Backend       = (*Backend)(nil)
	_ cache.Haser         = (*Backend)(nil)
	_ cache.Counter       = (*Backend)(nil)
	_ cache.PrefixClearer = (*Backend)(nil)
	_ cache.TTLer         = (*Backend)(nil)
	_ cache.Pinger        = (*Backend)(nil)
	_ cache.Copier        = (*Backend)(nil)
)
