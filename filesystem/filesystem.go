package filesystem

import (
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Backend is a [driver.Backend] that keeps its entries in one directory. It is
// safe for concurrent use, and any number of Backends, in one process or in
// several, may share a directory.
type Backend struct {
	options Options
	layout  *layout
	temps   *tempNames

	mu      sync.RWMutex  // read-locked during every operation
	tree    *tree         // nil after Close
	closing chan struct{} // closed by Close; ends every wait
	close   func()        // closes closing, once

	evictions        sync.WaitGroup // in progress
	evicted, expired atomic.Int64   // entries that evictions have removed
}

// New opens the directory o.Dir, creates it if it does not exist, and counts its entries,
// in a part of it if they are many. If the directory cannot be
// used, the error wraps [driver.ErrUnavailable] and the error of the file system.
// Invalid options are [driver.ErrInvalidSettings].
func New(_ context.Context, o Options) (*Backend, error) {
	if o.Flask && o.HashMethod == "" {
		o.HashMethod = "md5"
	}
	if err := driver.Complete(&o); err != nil {
		return nil, fmt.Errorf("filesystem: %w", err)
	}
	var err error
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, classify(err)
	}
	layout := layoutOf(o)
	b := &Backend{
		options: o,
		layout:  layout,
		temps:   &tempNames{random: rand.Text(), suffix: layout.tempSuffix},
		closing: make(chan struct{}),
	}
	b.close = sync.OnceFunc(func() { close(b.closing) })
	if b.tree, err = b.openTree(true); err != nil {
		return nil, classify(err)
	}
	if err := b.count(b.tree, time.Now()); err != nil {
		b.tree.close()
		return nil, classify(err)
	}
	return b, nil
}

// Set stores value under key. If the disk is full, the error wraps
// [driver.ErrFull] and the old value remains.
func (b *Backend) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return b.write(b.newEntry(key, value, ttl), func(tx *writeTx) error {
		_, err := tx.store(ctx, func() (bool, error) { return true, tx.publish(ctx) })
		return err
	})
}

// Add stores value under key if key is absent. Of concurrent calls in all
// processes exactly one succeeds.
func (b *Backend) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (added bool, err error) {
	err = b.write(b.newEntry(key, value, ttl), func(tx *writeTx) (err error) {
		// The common case needs no temporary file. An error here occurs again below.
		if ok, _ := tx.slice.exists(tx.name, key); ok {
			return nil
		}
		added, err = tx.store(ctx, func() (bool, error) { return tx.publishIfAbsent(ctx) })
		return err
	})
	return added, err
}

// Ping writes a temporary file and removes it.
func (b *Backend) Ping(ctx context.Context) error {
	return b.write(b.newEntry("", nil, 0), func(tx *writeTx) error {
		if err := tx.stage(ctx); err != nil {
			return err
		}
		return ignoreNotExist(tx.discard())
	})
}

// CopiesValues returns true: values are copied to and from files.
func (b *Backend) CopiesValues() bool { return true }

var (
	_ driver.Backend       = (*Backend)(nil)
	_ driver.Haser         = (*Backend)(nil)
	_ driver.Counter       = (*Backend)(nil)
	_ driver.PrefixClearer = (*Backend)(nil)
	_ driver.TTLer         = (*Backend)(nil)
	_ driver.Appender      = (*Backend)(nil)
	_ driver.LifeGetter    = (*Backend)(nil)
	_ driver.Stater        = (*Backend)(nil)
	_ driver.Pinger        = (*Backend)(nil)
	_ driver.Copier        = (*Backend)(nil)
	_ driver.Leaser        = (*Backend)(nil)
	_ driver.Swapper       = (*Backend)(nil)
)
