package cache

import (
	"context"
	"errors"
)

// GetOrSet returns the value of key, or what load returns, which it then stores.
//
// Callers of one Cache that miss the same key at the same time share one load.
// It runs with the values of the first caller's context, and its own context
// ends when every caller that waits for it has left. A panic in load reaches all
// of them; an error of load is returned as it is and nothing is stored.
//
// A fault of the cache does not keep load from running and is not returned: the
// observer hears of it. Mistakes are returned: an empty key, a negative timeout,
// a closed cache, and a loaded value that cannot be encoded (with that value).
func (v View[T]) GetOrSet(ctx context.Context, key string, load func(ctx context.Context) (T, error), options ...SetOption) (T, error) {
	c := v.cache
	var zero T
	if _, err := c.lifetime(options); err != nil {
		return zero, c.wrap(opSet, key, err)
	}
	value, ok, fault, err := v.lookup(ctx, key)
	if ok {
		return value, nil
	}
	if isMistake(fault) {
		return zero, err
	}
	if ended := ctx.Err(); ended != nil { // also during a clean miss, and of errors that are ignored
		return zero, c.wrap(opGet, key, ended)
	}
	// After a fault of the store a second question would only cost time; damage
	// is mended by storing over it.
	usable := fault == nil || errors.Is(fault, ErrCorrupt)
	return share(ctx, &c.flights, flightKey{key, (*T)(nil)}, func(ctx context.Context) (T, error) {
		// A load that ended between our miss and now has left its value there.
		if fault == nil {
			if value, ok, _, _ := v.lookup(ctx, key); ok {
				return value, nil
			}
		}
		value, err := load(ctx)
		if err != nil {
			return zero, err
		}
		if usable {
			err = v.Set(ctx, key, value, options...)
		}
		if errors.Is(err, errUnencodable) {
			return value, err
		}
		return value, nil
	})
}

// lookup is Get that also returns the fault which WithIgnoreErrors hides.
func (v View[T]) lookup(ctx context.Context, key string) (value T, ok bool, fault, err error) {
	c := v.cache
	if fault := check(ctx, key); fault != nil {
		return value, false, fault, c.wrap(opGet, key, fault)
	}
	start := c.watch()
	var data []byte
	if v.values != nil {
		value, ok, fault = v.lookupKept(ctx, c.full(key))
	}
	if v.values == nil || isUnsupported(fault) {
		if data, ok, fault = c.fetch(ctx, c.full(key)); ok && fault == nil {
			value, fault = v.decode(data)
		}
	}
	if c.quiet(fault) {
		return value, ok, nil, nil
	}
	ok = ok && fault == nil
	event := readEvent(opGet, nil, ok, fault)
	event.Bytes = len(data)
	return value, ok, fault, c.finish(ctx, start, key, event)
}

// lookupKept reads a value that is kept without encoding.
func (v View[T]) lookupKept(ctx context.Context, fullKey string) (value T, ok bool, err error) {
	kept, ok, err := v.values.GetValue(ctx, fullKey)
	if !ok || err != nil {
		return value, false, err
	}
	if value, ok = kept.(T); !ok {
		err = errOtherType(kept, value)
	}
	return value, ok, err
}
