package cache

import (
	"context"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Encode returns value as a view stores it, unless the view is [WithoutEncoding]. The bytes
// do not share memory with value, unless the backend is a [driver.Copier] and T is []byte.
func (v View[T]) Encode(value T) ([]byte, error) {
	if text, ok := any(&value).(*string); ok && !v.cache.universal {
		return []byte(*text), nil
	}
	return encode(v.cache, value)
}

// Decode returns the value of bytes that Encode returned. The value does not share
// memory with data, unless the backend is a [driver.Copier] and T is []byte. If data
// cannot be decoded as a T, the error wraps [ErrCorrupt].
func (v View[T]) Decode(data []byte) (value T, err error) {
	if text, ok := any(&value).(*string); ok && !v.cache.universal {
		*text = string(data)
		return value, nil
	}
	return v.decode(data)
}

// Lease is [Cache.Lease] for a view [WithoutEncoding] over a backend in the memory of the
// process. For other views and backends the error wraps errors.ErrUnsupported: use
// [Cache.Lease] with Encode and Decode.
func (v View[T]) Lease(ctx context.Context, key string, hold time.Duration) (value T, ok bool, token string, err error) {
	c := v.cache
	ctx, start, err := c.beginLease(ctx, key, hold)
	if err != nil {
		return value, false, "", c.wrap(opLease, key, err)
	}
	kept, ok, token, err := v.keeper().LeaseValue(ctx, c.full(key), hold)
	if ok && err == nil {
		if value, ok = kept.(T); !ok {
			ok, err = isNilOf[T](kept)
		}
	}
	c.observe(ctx, leaseEvent(0, ok, err), start)
	return value, ok, token, c.wrap(opLease, key, err)
}

// Fill is [Cache.Fill] for a value without encoding: see [View.Lease].
func (v View[T]) Fill(ctx context.Context, key, token string, value T, options ...SetOption) (filled bool, err error) {
	c := v.cache
	ctx, start, ttl, err := c.beginStore(ctx, opFill, key, options)
	if err != nil {
		return false, c.wrap(opFill, key, err)
	}
	filled, err = v.keeper().FillValue(ctx, c.full(key), token, value, ttl)
	return filled, c.finish(ctx, start, key, storeEvent(opFill, 0, filled, err))
}

// CompareAndSwap is [Cache.CompareAndSwap] for values without encoding: see [View.Lease].
// It compares with the operator ==.
func (v View[T]) CompareAndSwap(ctx context.Context, key string, old, value T, options ...SetOption) (swapped bool, err error) {
	c := v.cache
	ctx, start, ttl, err := c.beginStore(ctx, opSwap, key, options)
	if err != nil {
		return false, c.wrap(opSwap, key, err)
	}
	swapped, err = v.keeper().CompareAndSwapValue(ctx, c.full(key), old, value, ttl)
	return swapped, c.finish(ctx, start, key, storeEvent(opSwap, 0, swapped, err))
}

// keeper returns the operations on Go values of the backend, or none for a view that
// encodes.
func (v View[T]) keeper() *driver.Operations {
	if v.values == nil {
		return &driver.Operations{}
	}
	return v.cache.ops
}
