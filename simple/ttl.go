package simple

import (
	"context"
	"time"
)

// TTL returns the remaining TTL of key; 0 with ok=true means that key never
// expires.
func (b *Backend) TTL(_ context.Context, key string) (time.Duration, bool, error) {
	n, err := b.find(b.hasher.hash(key), key)
	if n == nil {
		return 0, false, err
	}
	left, ok := b.left(n)
	return left, ok, nil
}

// GetWithTTL returns the bytes of key, which the caller must not modify, and the
// remaining TTL of the same entry; 0 with ok=true means that it never expires.
func (b *Backend) GetWithTTL(_ context.Context, key string) ([]byte, time.Duration, bool, error) {
	n, err := b.find(b.hasher.hash(key), key)
	if n == nil {
		return nil, 0, false, err
	}
	value, ok := n.bytes()
	if !ok {
		return nil, 0, false, errNotBytes
	}
	left, ok := b.left(n)
	if !ok {
		return nil, 0, false, nil
	}
	n.used()
	return value, left, true, nil
}

// left returns the remaining TTL of n, 0 if it never expires, and whether n has not
// expired.
func (b *Backend) left(n *node) (time.Duration, bool) { return b.leftUntil(n.deadline) }

func (b *Backend) leftUntil(deadline int64) (time.Duration, bool) {
	if deadline == never {
		return 0, true
	}
	left := deadline - b.clock.now()
	return time.Duration(max(left, 0)), left > 0
}
