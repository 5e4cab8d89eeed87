package conformance_test

import (
	"context"
	"time"
)

func (m *mutant) Lease(ctx context.Context, key string, hold time.Duration) ([]byte, bool, string, error) {
	defer m.alone()()
	if m.lease != nil {
		return m.lease(m.reference, m.k(key), hold)
	}
	return m.reference.Lease(ctx, m.k(key), hold)
}

func (m *mutant) Fill(ctx context.Context, key, token string, value []byte, ttl time.Duration) (bool, error) {
	defer m.alone()()
	if m.fill != nil {
		return m.fill(m.reference, m.k(key), token, value, m.life(ttl))
	}
	return m.reference.Fill(ctx, m.k(key), token, value, m.life(ttl))
}

func (m *mutant) Release(ctx context.Context, key, token string) error {
	defer m.alone()()
	if m.release != nil {
		return m.release(m.reference, m.k(key), token)
	}
	return m.reference.Release(ctx, m.k(key), token)
}

func (m *mutant) CompareAndSwap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	defer m.alone()()
	if m.swap != nil {
		return m.swap(m.reference, m.k(key), old, value, m.life(ttl))
	}
	return m.reference.CompareAndSwap(ctx, m.k(key), old, value, m.life(ttl))
}
