package driver

import (
	"context"
	"time"
)

// Backend stores bytes under keys. Programs do not call it; they hold a
// cache.Cache, which derives every other operation from these six.
//
// Cache checks the arguments before it calls a backend: key is prefix + key and not
// empty, ttl is zero or positive, ctx is not done. A backend keeps these rules:
//
//   - An entry with ttl 0 never expires. A store with a coarser clock rounds ttl up,
//     never down and never to 0. The expiry time is computed once, before any I/O. An
//     expired entry is absent for every method.
//   - A backend may keep the value that it receives and may return memory that it
//     still uses. Nobody modifies such memory: neither the backend, for which an
//     overwritten value is new memory, nor the caller, unless the backend is a
//     [Copier]. Views of string depend on it: they return that memory as strings.
//   - A backend never writes to a value that it receives, even if it is a [Copier]: the
//     value may be the memory of a string.
//   - A zero-length value is a hit. A nil value is stored as an empty one, and
//     ok=true with a nil value is an empty value.
//   - Errors wrap the sentinels of this package, so that errors.Is matches the same
//     ones on every backend. A miss is ok=false with a nil error. If stored bytes are
//     damaged, Get returns [ErrCorrupt], and the key is absent for every other
//     method.
//   - A method checks first whether the backend is closed, then the key, then the
//     size of the value. I/O follows.
//   - Every method is safe for concurrent use. After Close, methods return an error
//     wrapping [ErrClosed]; a second Close returns nil.
//
// No method will be added to Backend. New behaviour is a new optional interface.
type Backend interface {
	// Get returns the value of key, and whether the key is present.
	Get(ctx context.Context, key string) (value []byte, ok bool, err error)

	// Set stores value under key, replacing both the value and its expiry.
	Set(ctx context.Context, key string, value []byte, ttl time.Duration) error

	// Add stores value only if key is absent, in one atomic step, and reports
	// whether it did. It cannot be derived from Get and Set.
	Add(ctx context.Context, key string, value []byte, ttl time.Duration) (added bool, err error)

	// Delete removes key and reports whether it was present.
	Delete(ctx context.Context, key string) (deleted bool, err error)

	// Clear removes every entry of the store. If the store is shared with other
	// programs, it returns an error unless the options of the backend allow it.
	Clear(ctx context.Context) error

	// Close releases what the backend opened itself; a borrowed client stays
	// open. Calls under way finish or return ErrClosed.
	Close() error
}

// The optional interfaces have one topic each. [Resolve] looks for them once. If a
// method returns an error wrapping [errors.ErrUnsupported], the fallback that its
// comment names is used. So a wrapper can have all of them whatever the wrapped
// backend supports.

// Haser reports whether key is present without reading its value.
// Fallback: Get.
type Haser interface {
	Has(ctx context.Context, key string) (bool, error)
}

// ManyGetter reads several keys, in as few round trips as the store allows.
// values[i] belongs to keys[i] and is nil for a miss; keys may repeat. values has
// one element per key even with a non-nil error: a [*BatchError] if single keys
// failed, and then the values that could be read are returned.
// Fallback: Get for each key.
type ManyGetter interface {
	GetMany(ctx context.Context, keys []string) (values [][]byte, err error)
}

// ManySetter stores several items with one ttl; no key repeats. If a key is
// invalid, it stores nothing and returns a [*BatchError] naming every invalid
// key. Otherwise it stores all it can and names the keys that failed.
// Fallback: Set for each item.
type ManySetter interface {
	SetMany(ctx context.Context, items []Item, ttl time.Duration) error
}

// ManyDeleter removes several keys; no key repeats. deleted[i] reports whether
// keys[i] was present; deleted has one element per key even with a non-nil error.
// An invalid key is treated as in [ManySetter].
// Fallback: Delete for each key.
type ManyDeleter interface {
	DeleteMany(ctx context.Context, keys []string) (deleted []bool, err error)
}

// Counter adds delta to the integer stored as decimal text under key, in one atomic
// step, and returns the sum. An existing key keeps its expiry, an absent one starts
// at delta with ttl. If [AddInteger] rejects the value, Inc returns [ErrNotInteger]
// and leaves it unchanged.
// Fallback: none; Cache.Inc returns errors.ErrUnsupported.
type Counter interface {
	Inc(ctx context.Context, key string, delta int64, ttl time.Duration) (int64, error)
}

// PrefixClearer removes the entries whose key begins with prefix, byte for byte.
// Fallback: none; Clear of a cache with a prefix returns errors.ErrUnsupported.
type PrefixClearer interface {
	ClearPrefix(ctx context.Context, prefix string) error
}

// TTLer returns the remaining TTL of key; 0 with ok=true means that key never expires.
// Fallback: none; Cache.TTL returns errors.ErrUnsupported.
type TTLer interface {
	TTL(ctx context.Context, key string) (ttl time.Duration, ok bool, err error)
}

// Pinger reports whether the store can be used.
// Fallback: Get of a key that need not exist.
type Pinger interface {
	Ping(ctx context.Context) error
}

// Copier reports whether the backend shares no memory with its callers: Set and Add
// do not use value after they return, and Get returns a slice that the backend does
// not keep. A wrapper returns the answer of the backend that it wraps.
// Fallback: false; Cache copies the values of raw reads and writes.
type Copier interface {
	CopiesValues() bool
}

// ValueKeeper is implemented by backends in the memory of the process. It keeps Go
// values without encoding them. An entry is either bytes or a value; reading one as
// the other is [ErrCorrupt].
// Fallback: values are encoded.
type ValueKeeper interface {
	GetValue(ctx context.Context, key string) (value any, ok bool, err error)
	SetValue(ctx context.Context, key string, value any, ttl time.Duration) error
	AddValue(ctx context.Context, key string, value any, ttl time.Duration) (added bool, err error)
}

// DecodedKeeper is a [ValueKeeper] in front of a store of bytes. It keeps the values that
// its callers have decoded. GetValue returns the value of key if it is kept; otherwise,
// as SetValue and AddValue do always, it returns an error wrapping
// errors.ErrUnsupported, and the caller reads and decodes the bytes.
//
// KeepDecoded offers value, which the caller has decoded from data. data is the memory
// that Get or GetMany has returned for key. If the backend still keeps that memory for
// key, it keeps value in its place, with the remaining TTL. Later calls of GetValue
// return value to any caller.
// Fallback: every caller decodes the bytes.
type DecodedKeeper interface {
	ValueKeeper
	KeepDecoded(key string, data []byte, value any)
}

// Namer returns the name of the backend in errors and events, such as
// "tiered(redis)".
// Fallback: the package of the backend's type: "redis" for a *redis.Backend,
// "shop.Store" for a *shop.Store.
type Namer interface {
	Name() string
}

// Item is one entry of a batch.
type Item struct {
	Key   string
	Value []byte
}
