package cache

import (
	"context"
	"time"
)

// Backend stores bytes under keys. It is what an author of a backend
// implements; programs hold a [Cache], which derives every other operation.
//
// Cache has checked the arguments before it calls: key is prefix + key and not
// empty, ttl is zero or positive, ctx is not done. What is left to the backend:
//
//   - ttl 0 never expires. A store with a coarser clock rounds up, never down
//     and never to 0. The end of life is computed once, before the store is
//     asked. An expired entry is absent for every method.
//   - A backend may keep the value it is given and may return memory it still
//     holds: nobody writes to either (but see [Copier]).
//   - A zero-length value is a hit, and a nil value is stored as an empty one.
//   - Faults wrap the sentinels of this package, so that errors.Is tells them
//     apart on every backend. A miss is ok=false with a nil error. Damaged
//     stored bytes are [ErrCorrupt] from Get and absent for everybody else.
//   - Every method is safe for concurrent use. After Close they return an error
//     wrapping [ErrClosed]; a second Close returns nil.
//
// Backend never gains a method. New behaviour is a new optional interface.
type Backend interface {
	// Get returns the value of key, and whether there is one.
	Get(ctx context.Context, key string) (value []byte, ok bool, err error)

	// Set stores value under key, replacing both the value and its expiry.
	Set(ctx context.Context, key string, value []byte, ttl time.Duration) error

	// Add stores value only where key is absent, in one atomic step, and
	// reports whether it did. It cannot be derived from Get and Set.
	Add(ctx context.Context, key string, value []byte, ttl time.Duration) (added bool, err error)

	// Delete removes key and reports whether it was there.
	Delete(ctx context.Context, key string) (deleted bool, err error)

	// Clear removes every entry of the store. A backend whose store is shared
	// with other programs refuses unless its options allow it.
	Clear(ctx context.Context) error

	// Close releases what the backend opened itself; a client that was handed
	// to it stays open. Calls under way finish or return ErrClosed.
	Close() error
}

// The optional interfaces, one method each. Cache looks for them once, in New.
// A method that returns an error wrapping [errors.ErrUnsupported] asks for the
// fallback that its comment names.

// Haser tells whether key is there without reading its value.
// Fallback: Get.
type Haser interface {
	Has(ctx context.Context, key string) (bool, error)
}

// ManyGetter reads several keys, in as few round trips as the store allows.
// values[i] belongs to keys[i], nil where it is a miss; keys may repeat. With a
// non-nil error (a [*BatchError] where single keys failed) the values that could
// be read are still returned.
// Fallback: Get for each key.
type ManyGetter interface {
	GetMany(ctx context.Context, keys []string) (values [][]byte, err error)
}

// ManySetter stores several items with one ttl; no key repeats. It stores all it
// can and returns a [*BatchError] naming each key that failed, and only those.
// Fallback: Set for each item.
type ManySetter interface {
	SetMany(ctx context.Context, items []Item, ttl time.Duration) error
}

// ManyDeleter removes several keys; no key repeats. deleted[i] says whether
// keys[i] was there. With a non-nil error what could be removed has been.
// Fallback: Delete for each key.
type ManyDeleter interface {
	DeleteMany(ctx context.Context, keys []string) (deleted []bool, err error)
}

// Counter adds delta to the integer stored as decimal text under key, in one
// atomic step, and returns the sum. An existing key keeps its expiry, an absent
// one starts at delta with ttl. Text, and a sum beyond int64, is
// [ErrNotInteger] and changes nothing.
// Fallback: none, Cache.Inc reports errors.ErrUnsupported.
type Counter interface {
	Inc(ctx context.Context, key string, delta int64, ttl time.Duration) (int64, error)
}

// PrefixClearer removes the entries whose key begins with prefix, byte for byte.
// Fallback: none, Clear of a cache with a prefix reports errors.ErrUnsupported.
type PrefixClearer interface {
	ClearPrefix(ctx context.Context, prefix string) error
}

// TTLer returns the remaining life of key: 0 with ok=true never expires.
// Fallback: none, Cache.TTL reports errors.ErrUnsupported.
type TTLer interface {
	TTL(ctx context.Context, key string) (ttl time.Duration, ok bool, err error)
}

// Pinger asks the store whether it can be used.
// Fallback: Get of a key that need not exist.
type Pinger interface {
	Ping(ctx context.Context) error
}

// Copier declares that a backend shares no memory with its callers: Set and Add
// are done with value when they return, and Get returns a slice nobody else holds.
// Fallback: Cache copies raw values on the way in and out.
type Copier interface {
	CopiesValues() bool
}

// ValueKeeper is for backends in the memory of the process: it keeps Go values
// as they are, without encoding. One capability, so its methods come together.
// An entry is either bytes or a value; reading one as the other is [ErrCorrupt].
// Fallback: values are encoded.
type ValueKeeper interface {
	GetValue(ctx context.Context, key string) (value any, ok bool, err error)
	SetValue(ctx context.Context, key string, value any, ttl time.Duration) error
	AddValue(ctx context.Context, key string, value any, ttl time.Duration) (added bool, err error)
}

// Item is one entry of a batch.
type Item struct {
	Key   string
	Value []byte
}
