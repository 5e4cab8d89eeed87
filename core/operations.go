package cache

import (
	"context"
	"fmt"
	"math"
	"time"
)

// Get returns a copy of the value of key, and whether the key is present. An empty
// value is a non-nil empty slice.
func (c *Cache) Get(ctx context.Context, key string) (value []byte, ok bool, err error) {
	if c.universal {
		return Of[[]byte](c).Get(ctx, key)
	}
	value, ok, err = c.get(ctx, key)
	if ok && value == nil {
		return []byte{}, true, err
	}
	return c.copyOut(value), ok, err
}

// GetAppend appends the value of key to dst and returns the extended slice: Get for
// callers that reuse a buffer. On a miss or with an error it returns dst, whose unused
// capacity may have been overwritten. If the backend is a [driver.Appender], the value
// is read into dst without another copy.
func (c *Cache) GetAppend(ctx context.Context, key string, dst []byte) (extended []byte, ok bool, err error) {
	get := c.get
	switch {
	case c.universal:
		get = c.Get
	case c.appends:
		return c.getAppend(ctx, key, dst)
	}
	value, ok, err := get(ctx, key)
	if !ok { // the backend may have returned what it has found, such as an expired value
		return dst, false, err
	}
	return append(dst, value...), true, err
}

// getAppend is GetAppend over a backend that reads into the memory of the caller.
func (c *Cache) getAppend(ctx context.Context, key string, dst []byte) (extended []byte, ok bool, err error) {
	if err := check(ctx, key); err != nil {
		return dst, false, c.wrap(opGet, key, err)
	}
	ctx, start := c.watch(ctx, opGet)
	extended, ok, err = c.ops.GetAppend(ctx, c.full(key), dst)
	if c.quiet(err) {
		return extended, ok, nil
	}
	if err != nil {
		extended, ok, err = dst, false, markDamage(err)
	}
	err = c.finish(ctx, start, key, readEvent(opGet, extended[len(dst):], ok, err))
	return extended, ok, err
}

func (c *Cache) get(ctx context.Context, key string) ([]byte, bool, error) {
	if err := check(ctx, key); err != nil {
		return nil, false, c.wrap(opGet, key, err)
	}
	ctx, start := c.watch(ctx, opGet)
	value, ok, err := c.backend.Get(ctx, c.full(key))
	if c.quiet(err) {
		return value, ok, nil
	}
	if err != nil {
		value, ok, err = nil, false, markDamage(err)
	}
	err = c.finish(ctx, start, key, readEvent(opGet, value, ok, err))
	return value, ok, err
}

// fetch is Get of the backend, with damage marked.
func (c *Cache) fetch(ctx context.Context, fullKey string) ([]byte, bool, error) {
	value, ok, err := c.backend.Get(ctx, fullKey)
	if err != nil {
		return nil, false, markDamage(err)
	}
	return value, ok, nil
}

func readEvent(op string, value []byte, ok bool, err error) Event {
	if ok {
		return Event{Op: op, Hits: 1, Bytes: len(value), Err: err}
	}
	return Event{Op: op, Misses: 1, Err: err}
}

// Set stores a copy of value under key, replacing value and expiry. A nil value
// is stored as an empty one.
func (c *Cache) Set(ctx context.Context, key string, value []byte, options ...SetOption) error {
	if c.universal {
		return Of[[]byte](c).Set(ctx, key, value, options...)
	}
	ctx, start, ttl, err := c.beginStore(ctx, opSet, key, options)
	if err != nil {
		return c.wrap(opSet, key, err)
	}
	err = c.backend.Set(ctx, c.full(key), c.copyIn(value), ttl)
	if c.quiet(err) {
		return nil
	}
	return c.finish(ctx, start, key, Event{Op: opSet, Bytes: len(value), Err: err})
}

// Add stores a copy of value only if key is absent, atomically, and reports
// whether it did.
func (c *Cache) Add(ctx context.Context, key string, value []byte, options ...SetOption) (added bool, err error) {
	if c.universal {
		return Of[[]byte](c).Add(ctx, key, value, options...)
	}
	ctx, start, ttl, err := c.beginStore(ctx, opAdd, key, options)
	if err != nil {
		return false, c.wrap(opAdd, key, err)
	}
	added, err = c.backend.Add(ctx, c.full(key), c.copyIn(value), ttl)
	return added, c.finish(ctx, start, key, storeEvent(opAdd, len(value), added, err))
}

// Delete removes key and reports whether it was present.
func (c *Cache) Delete(ctx context.Context, key string) (deleted bool, err error) {
	ctx, start, err := c.beginWrite(ctx, opDelete, key)
	if err != nil {
		return false, c.wrap(opDelete, key, err)
	}
	deleted, err = c.backend.Delete(ctx, c.full(key))
	return deleted, c.finish(ctx, start, key, Event{Op: opDelete, Err: err})
}

// Has reports whether key is present. It does not read the value if the store can
// avoid that, and never changes its expiry.
func (c *Cache) Has(ctx context.Context, key string) (bool, error) {
	ctx, start, err := c.begin(ctx, opHas, key)
	if err != nil {
		return false, c.wrap(opHas, key, err)
	}
	ok, err := c.ops.Has(ctx, c.full(key))
	return ok, c.finish(ctx, start, key, readEvent(opHas, nil, ok, err))
}

// TTL returns the remaining TTL of key: 0 with ok=true means that it never expires.
// A backend that does not support it returns errors.ErrUnsupported.
func (c *Cache) TTL(ctx context.Context, key string) (ttl time.Duration, ok bool, err error) {
	ctx, start, err := c.begin(ctx, opTTL, key)
	if err != nil {
		return 0, false, c.wrap(opTTL, key, err)
	}
	ttl, ok, err = c.ops.TTL(ctx, c.full(key))
	return ttl, ok, c.finish(ctx, start, key, readEvent(opTTL, nil, ok, err))
}

// Clear removes the entries under the prefix of this cache, or, without a prefix, all
// entries of the store. On a shared server the latter is an error unless the backend
// was opened with AllowFlush.
func (c *Cache) Clear(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		err = c.flights.endAll(ctx)
	}
	if err != nil {
		return c.wrap(opClear, "", err)
	}
	ctx, start := c.watch(ctx, opClear)
	if c.prefix == "" {
		err = c.backend.Clear(ctx)
	} else {
		err = c.ops.ClearPrefix(ctx, c.prefix)
	}
	return c.finish(ctx, start, "", Event{Op: opClear, Err: err})
}

// Inc adds delta to the integer under key, atomically, and returns the sum. An
// existing key keeps its expiry; an absent one starts at delta. If the value is not
// an integer or the sum overflows int64, the error wraps [ErrNotInteger] and the
// value is unchanged.
func (c *Cache) Inc(ctx context.Context, key string, delta int64, options ...SetOption) (int64, error) {
	return c.count(ctx, opInc, key, delta, options)
}

// Dec subtracts delta; an absent key starts at -delta. See [Cache.Inc].
func (c *Cache) Dec(ctx context.Context, key string, delta int64, options ...SetOption) (int64, error) {
	if delta == math.MinInt64 {
		return 0, c.wrap(opDec, key, fmt.Errorf("%w: cannot negate %d", ErrNotInteger, delta))
	}
	return c.count(ctx, opDec, key, -delta, options)
}

func (c *Cache) count(ctx context.Context, op, key string, delta int64, options []SetOption) (int64, error) {
	ctx, start, ttl, err := c.beginStore(ctx, op, key, options)
	if err != nil {
		return 0, c.wrap(op, key, err)
	}
	sum, err := c.ops.Inc(ctx, c.full(key), delta, ttl)
	return sum, c.finish(ctx, start, key, Event{Op: op, Err: err})
}
