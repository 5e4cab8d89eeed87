package remote

import (
	"context"
	"errors"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Many has the batch operations for a store that has no command for several keys:
// [driver.ManyGetter], [driver.ManySetter], [driver.ManyDeleter] and
// [driver.ManyLifeGetter]. Each key is a call of its own to the backend, and the calls run
// in [Parallel]. A backend embeds it.
type Many struct {
	backend driver.Backend
	limit   int
	check   func(key string) error
}

// NewMany returns the batch operations of backend, with up to limit calls at a time.
// check returns an error for an invalid key, which fails the batch before the first call.
func NewMany(backend driver.Backend, limit int, check func(key string) error) Many {
	return Many{backend, limit, check}
}

// GetMany calls Get for each key.
func (m Many) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	values := make([][]byte, len(keys))
	err := m.each(ctx, keys, func(i int) error {
		value, ok, err := m.backend.Get(ctx, keys[i])
		if ok && value == nil {
			value = []byte{}
		}
		values[i] = value
		return err
	})
	return values, err
}

// GetManyWithTTL calls GetWithTTL for each key. It returns [errors.ErrUnsupported] if the
// backend is not a [driver.LifeGetter].
func (m Many) GetManyWithTTL(ctx context.Context, keys []string) ([][]byte, []time.Duration, error) {
	values, ttls := make([][]byte, len(keys)), make([]time.Duration, len(keys))
	backend, ok := m.backend.(driver.LifeGetter)
	if !ok {
		return values, ttls, errors.ErrUnsupported
	}
	err := m.each(ctx, keys, func(i int) error {
		value, ttl, ok, err := backend.GetWithTTL(ctx, keys[i])
		if ok && value == nil {
			value = []byte{}
		}
		values[i], ttls[i] = value, ttl
		return err
	})
	return values, ttls, err
}

// SetMany calls Set for each item.
func (m Many) SetMany(ctx context.Context, items []driver.Item, ttl time.Duration) error {
	keys := make([]string, len(items))
	for i, item := range items {
		keys[i] = item.Key
	}
	return m.each(ctx, keys, func(i int) error { return m.backend.Set(ctx, keys[i], items[i].Value, ttl) })
}

// DeleteMany calls Delete for each key.
func (m Many) DeleteMany(ctx context.Context, keys []string) ([]bool, error) {
	deleted := make([]bool, len(keys))
	err := m.each(ctx, keys, func(i int) (err error) {
		deleted[i], err = m.backend.Delete(ctx, keys[i])
		return err
	})
	return deleted, err
}

func (m Many) each(ctx context.Context, keys []string, do func(i int) error) error {
	errs := make([]error, len(keys))
	for i, key := range keys {
		errs[i] = m.check(key)
	}
	if err := driver.BatchOf(keys, errs); err != nil {
		return err
	}
	return driver.BatchOf(keys, Parallel(ctx, len(keys), m.limit, do))
}
