package cache

import (
	"bytes"
	"context"
	"time"
)

// The operations of this file are for packages that load values, such as package
// loader. Programs use [View.GetOrSet] with [Lease].

// Lease returns a copy of the value of key if key is present. If it is absent and no
// caller holds its lease, the caller now holds it and token is not empty. If another
// caller holds the lease, ok is false and token is empty. See [driver.Leaser].
//
// hold is positive and at most [driver.MaxHold]; otherwise the error is
// [ErrInvalidTimeout]. If the backend does not support leases, the error wraps
// errors.ErrUnsupported. Lease returns failures of the store even under
// [WithIgnoreErrors], because the caller would wait for a holder that does not exist.
func (c *Cache) Lease(ctx context.Context, key string, hold time.Duration) (value []byte, ok bool, token string, err error) {
	ctx, start, err := c.beginLease(ctx, key, hold)
	if err != nil {
		return nil, false, "", c.wrap(opLease, key, err)
	}
	value, ok, token, err = c.ops.Lease(ctx, c.full(key), hold)
	size := len(value)
	if c.universal && ok && err == nil {
		value, err = decode[[]byte](c, value)
		ok = err == nil
	}
	c.observe(ctx, leaseEvent(size, ok, err), start)
	if ok && value == nil {
		return []byte{}, true, token, c.wrap(opLease, key, err)
	}
	return c.copyOut(value), ok, token, c.wrap(opLease, key, err)
}

// beginLease is begin for Lease.
func (c *Cache) beginLease(ctx context.Context, key string, hold time.Duration) (_ context.Context, start time.Time, err error) {
	if err := checkHold(hold); err != nil && check(ctx, key) == nil {
		return ctx, start, err
	}
	return c.begin(ctx, opLease, key)
}

// leaseEvent describes a Lease. It does not count a miss: the read before it counted it.
func leaseEvent(size int, ok bool, err error) Event {
	event := Event{Op: opLease, Bytes: size, Err: err}
	if ok {
		event.Hits = 1
	}
	return event
}

// Fill stores a copy of value if token is still the lease of key, and reports whether it
// did. If it did, the lease has ended.
func (c *Cache) Fill(ctx context.Context, key, token string, value []byte, options ...SetOption) (filled bool, err error) {
	ctx, start, ttl, err := c.beginStore(ctx, opFill, key, options)
	if err != nil {
		return false, c.wrap(opFill, key, err)
	}
	data, err := encode(c, value)
	if err == nil {
		filled, err = c.ops.Fill(ctx, c.full(key), token, data, ttl)
	}
	return filled, c.finish(ctx, start, key, storeEvent(opFill, len(data), filled, err))
}

// Release ends the lease of key if token is that lease. Otherwise it does nothing.
func (c *Cache) Release(ctx context.Context, key, token string) error {
	ctx, start, err := c.begin(ctx, opRelease, key)
	if err != nil {
		return c.wrap(opRelease, key, err)
	}
	err = c.ops.Release(ctx, c.full(key), token)
	return c.finish(ctx, start, key, Event{Op: opRelease, Err: err})
}

// CompareAndSwap stores a copy of value if the value of key equals old, in one atomic
// step, and reports whether it did. If the backend does not support this, the error wraps
// errors.ErrUnsupported.
func (c *Cache) CompareAndSwap(ctx context.Context, key string, old, value []byte, options ...SetOption) (swapped bool, err error) {
	ctx, start, ttl, err := c.beginStore(ctx, opSwap, key, options)
	if err != nil {
		return false, c.wrap(opSwap, key, err)
	}
	data, err := encode(c, value)
	present := err == nil
	if c.universal && present {
		old, present, err = c.encodedAs(ctx, c.full(key), old)
	}
	if present {
		swapped, err = c.ops.CompareAndSwap(ctx, c.full(key), old, data, ttl)
	}
	return swapped, c.finish(ctx, start, key, storeEvent(opSwap, len(data), swapped, err))
}

// encodedAs returns the encoding of value that is stored under key, false if another value
// is. A value may have several encodings.
func (c *Cache) encodedAs(ctx context.Context, fullKey string, value []byte) (data []byte, ok bool, err error) {
	data, ok, err = c.fetch(ctx, fullKey)
	if !ok || err != nil {
		return nil, false, err
	}
	data = c.copyOut(data)
	stored, err := decode[[]byte](c, data)
	return data, err == nil && bytes.Equal(stored, value), nil
}
