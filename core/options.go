package cache

import (
	"context"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// DefaultTimeout is the TTL of an entry if neither the cache nor the call sets one,
// as in Flask-Caching.
const DefaultTimeout = 300 * time.Second

// Option configures a Cache in [New] and [Open].
type Option func(*Cache)

// WithPrefix puts prefix, byte for byte, before every key, and confines Clear to
// such keys. Two prefixes are independent if neither is a prefix of the other. A
// prefix costs one small allocation per call.
func WithPrefix(prefix string) Option { return func(c *Cache) { c.prefix = prefix } }

// WithDefaultTimeout sets the TTL of entries stored without [Timeout]; 0 means that
// they never expire.
func WithDefaultTimeout(d time.Duration) Option { return func(c *Cache) { c.timeout = d } }

// WithCodec sets how typed views encode values; [JSON] is the default.
func WithCodec(codec Codec) Option { return func(c *Cache) { c.codec = codec } }

// WithObserver calls observe once after every operation. Several observers are called in
// the order of their options.
func WithObserver(observe Observer) Option {
	return func(c *Cache) {
		first := c.observer
		if first == nil {
			c.observer = observe
			return
		}
		c.observer = func(ctx context.Context, event Event) {
			first(ctx, event)
			observe(ctx, event)
		}
	}
}

// WithTracer calls tracer before and after every operation.
func WithTracer(tracer Tracer) Option { return func(c *Cache) { c.tracer = tracer } }

// WithIgnoreErrors reports store failures only to the observer; the call returns a
// miss, false or nil. Mistakes of the caller are still returned: ErrInvalidKey,
// ErrInvalidTimeout, ErrClosed, a value that cannot be encoded, an operation that
// the backend does not support, and a context that is done when the call begins.
func WithIgnoreErrors() Option { return func(c *Cache) { c.ignore = true } }

// SetOption adjusts one call that stores. It allocates nothing.
type SetOption struct {
	timeout time.Duration
	hold    time.Duration
	lease   bool // the option is Lease, not Timeout
}

// Timeout sets the TTL of the entry in place of the default timeout of the cache; 0
// means that it never expires. With a negative d the call returns
// [ErrInvalidTimeout].
func Timeout(d time.Duration) SetOption { return SetOption{timeout: d} }

// Lease makes [View.GetOrSet] take a lease from the store before it loads a missing key.
// One process at a time loads the key, and the others wait for its value. GetOrSet does
// not store a value that was loaded before any process wrote or removed the key.
//
// hold is the longest time that a load is expected to take. After it, another process may
// load the key. hold is positive and at most [driver.MaxHold]; otherwise GetOrSet returns
// [ErrInvalidTimeout].
//
// A lease costs one round trip per load and nothing per hit. If the backend does not
// support leases, GetOrSet loads once per process, and the observer receives
// errors.ErrUnsupported once. A lease is not a lock. Operations other than GetOrSet
// ignore the option.
func Lease(hold time.Duration) SetOption { return SetOption{hold: hold, lease: true} }

// Secret returns text as a password for the Options of a backend. It prints as *** at
// any depth.
func Secret(text string) driver.Secret { return driver.NewSecret(text) }
