package tiered

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Far stores bytes. What a view WithoutEncoding has decoded from them is kept near in
// their place, for the rest of their life, so that later hits decode and allocate nothing.

var errNotNear = fmt.Errorf("value that is not decoded near: %w", errors.ErrUnsupported)

// GetValue returns the decoded value of key if it is near. Otherwise the error wraps
// errors.ErrUnsupported, and the caller reads the bytes.
func (b *Backend) GetValue(ctx context.Context, key string) (any, bool, error) {
	if n := b.near; n.values != nil && n.usable.Load() {
		if value, ok, err := n.values.GetValue(ctx, key); ok && err == nil {
			return value, true, nil
		}
	}
	return nil, false, errNotNear
}

// SetValue returns an error wrapping errors.ErrUnsupported: far stores bytes.
func (b *Backend) SetValue(context.Context, string, any, time.Duration) error { return errNotNear }

// AddValue returns an error wrapping errors.ErrUnsupported: far stores bytes.
func (b *Backend) AddValue(context.Context, string, any, time.Duration) (bool, error) {
	return false, errNotNear
}

// LeaseValue returns the decoded value of key if it is near. Otherwise the error wraps
// errors.ErrUnsupported, and the caller leases the bytes.
func (b *Backend) LeaseValue(ctx context.Context, key string, _ time.Duration) (value any, ok bool, token string, err error) {
	value, ok, err = b.GetValue(ctx, key)
	return value, ok, "", err
}

// FillValue returns an error wrapping errors.ErrUnsupported: far stores bytes.
func (b *Backend) FillValue(context.Context, string, string, any, time.Duration) (bool, error) {
	return false, errNotNear
}

// KeepDecoded keeps value in place of data, if that memory is near.
func (b *Backend) KeepDecoded(key string, data []byte, value any) {
	b.near.keepDecoded(key, data, value)
}

// keepDecoded replaces the bytes of an entry by the value that was decoded from them. The
// lock keeps the entry from being changed meanwhile. The memory of the bytes identifies
// it: an entry that was stored since then has other memory, even if its bytes are equal.
func (n *nearStore) keepDecoded(key string, data []byte, value any) {
	if n.values == nil || len(data) == 0 {
		return
	}
	s := n.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx := context.Background()
	stored, ok := n.get(ctx, key)
	if !ok || len(stored) != len(data) || &stored[0] != &data[0] {
		return
	}
	left, ok, err := n.ops.TTL(ctx, key)
	if !ok || err != nil {
		return
	}
	if err := n.values.SetValue(ctx, key, value, left); err != nil && !driver.IsUnsupported(err) {
		n.remove(key)
	}
}

var (
	_ driver.DecodedKeeper = (*Backend)(nil)
	_ driver.ValueLeaser   = (*Backend)(nil)
)
