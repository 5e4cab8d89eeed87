package cachetest

import (
	"context"
	"fmt"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

func valueOf(i item, ok bool) (any, bool, error) {
	if _, isBytes := i.value.([]byte); ok && isBytes {
		return nil, false, fmt.Errorf("%w: it is encoded", driver.ErrCorrupt)
	}
	return i.value, ok, nil
}

// GetValue returns the Go value of key.
func (s *Store) GetValue(ctx context.Context, key string) (value any, ok bool, err error) {
	err = s.one(ctx, "get", key, func() (err error) {
		value, ok, err = valueOf(s.find(key))
		return err
	})
	if err != nil {
		return nil, false, err
	}
	return value, ok, nil
}

// SetValue stores a Go value.
func (s *Store) SetValue(ctx context.Context, key string, value any, ttl time.Duration) error {
	_, err := s.store(ctx, "set", key, value, ttl, always)
	return err
}

// AddValue stores a Go value only if key is absent.
func (s *Store) AddValue(ctx context.Context, key string, value any, ttl time.Duration) (bool, error) {
	return s.store(ctx, "add", key, value, ttl, isAbsent)
}

// CompareAndSwapValue replaces the Go value of key if it equals old.
func (s *Store) CompareAndSwapValue(ctx context.Context, key string, old, value any, ttl time.Duration) (bool, error) {
	return s.store(ctx, "compare_and_swap", key, value, ttl, func(i item, ok bool) bool {
		present, ok, err := valueOf(i, ok)
		return ok && err == nil && present == old
	})
}

var (
	_ driver.ValueKeeper  = (*Store)(nil)
	_ driver.ValueSwapper = (*Store)(nil)
	_ driver.ValueLeaser  = (*Store)(nil)
)
