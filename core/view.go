package cache

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// View is a typed view of a [Cache]: the same entries, as values of T. It is small,
// may be copied, and is safe for concurrent use.
type View[T any] struct {
	cache  *Cache
	values driver.ValueKeeper // nil if values are encoded
}

// Of returns the typed view of c; it allocates nothing. Values of type []byte
// and string are stored as they are, integers as decimal text, all others with
// the codec of the cache. A string that a view returns is not copied: it shares the
// memory of a store in the process.
func Of[T any](c *Cache, options ...ViewOption) View[T] {
	v := View[T]{cache: c}
	for _, option := range options {
		if option.shared {
			v.values = c.values
		}
	}
	return v
}

// ViewOption adjusts a view.
type ViewOption struct{ shared bool }

// WithoutEncoding keeps values as they are if the backend is in the memory of the
// process (a [driver.ValueKeeper]). Other backends encode them as usual. A backend in
// memory that is in front of such a backend (a [driver.DecodedKeeper]) keeps what was
// decoded.
//
// A hit then allocates nothing, and all callers share one value: what T refers to
// (slices, maps, pointers) must not be changed after it was stored or read. Such entries
// can be read only through views of the same T WithoutEncoding.
func WithoutEncoding() ViewOption { return ViewOption{shared: true} }

// Cache returns the cache behind the view, for operations without a type: Delete,
// Has, Inc, Clear, TTL.
func (v View[T]) Cache() *Cache { return v.cache }

// Get returns the value of key, and whether the key is present. If the stored bytes
// cannot be decoded as a T, the error wraps [ErrCorrupt].
func (v View[T]) Get(ctx context.Context, key string) (value T, ok bool, err error) {
	value, ok, _, err = v.lookup(ctx, key)
	return value, ok, err
}

// isNilOf reports whether kept, for which a type assertion to T failed, is a nil T: a
// nil of an interface type has no dynamic type.
func isNilOf[T any](kept any) (bool, error) {
	if kept == nil && reflect.TypeFor[T]().Kind() == reflect.Interface {
		return true, nil
	}
	return false, fmt.Errorf("%w: it is a %T, not a %v", ErrCorrupt, kept, reflect.TypeFor[T]())
}

// Set stores value under key, replacing value and expiry. A value that cannot be
// encoded is an error and stores nothing.
func (v View[T]) Set(ctx context.Context, key string, value T, options ...SetOption) error {
	_, err := v.store(ctx, opSet, key, value, options)
	return err
}

// Add stores value only if key is absent, atomically, and reports whether it did.
func (v View[T]) Add(ctx context.Context, key string, value T, options ...SetOption) (added bool, err error) {
	return v.store(ctx, opAdd, key, value, options)
}

func (v View[T]) store(ctx context.Context, op, key string, value T, options []SetOption) (stored bool, err error) {
	c := v.cache
	ctx, start, ttl, err := c.beginStore(ctx, op, key, options)
	if err != nil {
		return false, c.wrap(op, key, err)
	}
	fullKey := c.full(key)
	if v.values != nil {
		stored, err = v.storeKept(ctx, op, fullKey, value, ttl)
		if c.quiet(err) {
			return stored, nil
		}
		if !driver.IsUnsupported(err) {
			return stored, c.finish(ctx, start, key, storeEvent(op, 0, stored, err))
		}
	}
	data, err := encode(c, value)
	if err != nil {
		return false, c.finish(ctx, start, key, Event{Op: op, Err: err})
	}
	stored, err = c.storeData(ctx, op, fullKey, data, ttl)
	return stored, c.finish(ctx, start, key, storeEvent(op, len(data), stored, err))
}

// storeEvent describes a write of one value. stored is what the backend returned, and has
// no meaning for Set.
func storeEvent(op string, size int, stored bool, err error) Event {
	return Event{Op: op, Bytes: size, Refused: op != opSet && !stored && err == nil, Err: err}
}

func (c *Cache) storeData(ctx context.Context, op, fullKey string, data []byte, ttl time.Duration) (bool, error) {
	if op == opAdd {
		return c.backend.Add(ctx, fullKey, data, ttl)
	}
	return false, c.backend.Set(ctx, fullKey, data, ttl)
}

func (v View[T]) storeKept(ctx context.Context, op, fullKey string, value T, ttl time.Duration) (bool, error) {
	if op == opAdd {
		return v.values.AddValue(ctx, fullKey, value, ttl)
	}
	return false, v.values.SetValue(ctx, fullKey, value, ttl)
}

func (v View[T]) decode(data []byte) (T, error) { return decode[T](v.cache, data) }

// keep offers a value that was decoded from data to a backend that keeps such values.
func (v View[T]) keep(fullKey string, data []byte, value T) {
	if v.values != nil && v.cache.decoded != nil {
		v.cache.decoded.KeepDecoded(fullKey, data, value)
	}
}
