package null

import (
	"context"
	"sync/atomic"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// Backend stores nothing. It is safe for concurrent use.
type Backend struct {
	closed atomic.Bool
}

// New returns a Backend; the error is always nil.
func New(context.Context, Options) (*Backend, error) { return &Backend{}, nil }

// usable is the whole work of most methods.
func (b *Backend) usable() error {
	if b.closed.Load() {
		return cache.ErrClosed
	}
	return nil
}

// Get always misses.
func (b *Backend) Get(context.Context, string) ([]byte, bool, error) { return nil, false, b.usable() }

// Set forgets value at once.
func (b *Backend) Set(context.Context, string, []byte, time.Duration) error { return b.usable() }

// Add always adds, for the key is always absent.
func (b *Backend) Add(context.Context, string, []byte, time.Duration) (bool, error) {
	err := b.usable()
	return err == nil, err
}

// Delete never finds the key.
func (b *Backend) Delete(context.Context, string) (bool, error) { return false, b.usable() }

// Clear has nothing to remove.
func (b *Backend) Clear(context.Context) error { return b.usable() }

// ClearPrefix has nothing to remove.
func (b *Backend) ClearPrefix(context.Context, string) error { return b.usable() }

// Inc returns delta, what an absent key starts at.
func (b *Backend) Inc(_ context.Context, _ string, delta int64, _ time.Duration) (int64, error) {
	if err := b.usable(); err != nil {
		return 0, err
	}
	return delta, nil
}

// TTL never finds the key.
func (b *Backend) TTL(context.Context, string) (time.Duration, bool, error) {
	return 0, false, b.usable()
}

// CopiesValues spares Cache its copies: no value is kept.
func (b *Backend) CopiesValues() bool { return true }

// Close ends the backend; a second Close is no error.
func (b *Backend) Close() error {
	b.closed.Store(true)
	return nil
}

var (
	_ cache.Backend       = (*Backend)(nil)
	_ cache.PrefixClearer = (*Backend)(nil)
	_ cache.Counter       = (*Backend)(nil)
	_ cache.TTLer         = (*Backend)(nil)
	_ cache.Copier        = (*Backend)(nil)
)
