package null

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Backend is a [driver.Backend] that stores nothing. It is safe for concurrent use.
type Backend struct {
	closed atomic.Bool
}

// New returns a Backend. There is nothing to configure, and nothing that can fail.
func New() *Backend { return &Backend{} }

// checkOpen is all that most methods have to do.
func (b *Backend) checkOpen() error {
	if b.closed.Load() {
		return driver.ErrClosed
	}
	return nil
}

// Get is always a miss.
func (b *Backend) Get(context.Context, string) ([]byte, bool, error) {
	return nil, false, b.checkOpen()
}

// Set discards value.
func (b *Backend) Set(context.Context, string, []byte, time.Duration) error { return b.checkOpen() }

// Add discards value and returns true, because key is always absent.
func (b *Backend) Add(context.Context, string, []byte, time.Duration) (bool, error) {
	err := b.checkOpen()
	return err == nil, err
}

// Delete returns false, because key is always absent.
func (b *Backend) Delete(context.Context, string) (bool, error) { return false, b.checkOpen() }

// Clear has nothing to remove.
func (b *Backend) Clear(context.Context) error { return b.checkOpen() }

// ClearPrefix has nothing to remove.
func (b *Backend) ClearPrefix(context.Context, string) error { return b.checkOpen() }

// Inc returns delta, at which an absent key starts.
func (b *Backend) Inc(_ context.Context, _ string, delta int64, _ time.Duration) (int64, error) {
	if err := b.checkOpen(); err != nil {
		return 0, err
	}
	return delta, nil
}

// TTL is always a miss.
func (b *Backend) TTL(context.Context, string) (time.Duration, bool, error) {
	return 0, false, b.checkOpen()
}

// CopiesValues returns true: no value is kept.
func (b *Backend) CopiesValues() bool { return true }

// Close makes every further call return [driver.ErrClosed]. It always returns nil.
func (b *Backend) Close() error {
	b.closed.Store(true)
	return nil
}

var (
	_ driver.Backend       = (*Backend)(nil)
	_ driver.PrefixClearer = (*Backend)(nil)
	_ driver.Counter       = (*Backend)(nil)
	_ driver.TTLer         = (*Backend)(nil)
	_ driver.Copier        = (*Backend)(nil)
)
