package cache

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Cache is the handle a program uses: the operations over a [Backend]. It owns
// the key prefix, the default timeout, the codec, the checking of arguments, the
// wrapping of errors and the observer. It is safe for concurrent use.
//
// Every operation checks its arguments before any I/O: an empty key is
// [ErrInvalidKey], a negative timeout [ErrInvalidTimeout], and if the context is
// done, it returns at once. Every error is an [*Error]; match its cause with
// errors.Is.
type Cache struct {
	backend   Backend
	ops       *driver.Operations   // backend, with fallbacks
	values    driver.ValueKeeper   // backend, if it keeps values; else nil. Views call it directly
	decoded   driver.DecodedKeeper // backend, if it keeps decoded values; else nil
	name      string
	prefix    string
	timeout   time.Duration
	codec     Codec
	observer  Observer
	tracer    Tracer
	observed  bool // there is an observer or a tracer
	ignore    bool
	copies    bool // the backend shares no memory with its callers
	appends   bool // the backend is a driver.Appender
	universal bool // codec is a UniversalCodec
	flights   flights

	leasesUnsupported atomic.Bool // the observer has received errors.ErrUnsupported
}

// New returns a Cache over backend, which it owns from now on: Close closes it.
func New(backend Backend, options ...Option) *Cache {
	ops := driver.Resolve(backend)
	c := &Cache{
		backend: backend, ops: ops, name: ops.Name(), copies: ops.CopiesValues(),
		timeout: DefaultTimeout, codec: JSON,
	}
	c.values, _ = backend.(driver.ValueKeeper)
	c.decoded, _ = backend.(driver.DecodedKeeper)
	_, c.appends = backend.(driver.Appender)
	for _, option := range options {
		option(c)
	}
	c.observed = c.observer != nil || c.tracer != nil
	_, c.universal = c.codec.(UniversalCodec)
	if c.observer != nil {
		ops.OnEvent(c.report)
	}
	return c
}

// Backend returns the backend of the cache.
func (c *Cache) Backend() Backend { return c.backend }

// Name returns the name of the backend in errors and events: "redis" for a
// *redis.Backend, "shop.Store" for a *shop.Store.
func (c *Cache) Name() string { return c.name }

// Prefix returns what the cache puts before every key, see [WithPrefix].
func (c *Cache) Prefix() string { return c.prefix }

// Ping reports whether the store can be used. It returns failures even under
// WithIgnoreErrors; reporting them is its purpose.
func (c *Cache) Ping(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return c.wrap(opPing, "", err)
	}
	ctx, start := c.watch(ctx, opPing)
	err := c.ops.Ping(ctx)
	c.observe(ctx, Event{Op: opPing, Err: err}, start)
	return c.wrap(opPing, "", err)
}

// Stats returns statistics of the store, which other programs may share. A number that
// the store does not know is -1. A backend that has none returns
// errors.ErrUnsupported.
func (c *Cache) Stats(ctx context.Context) (driver.Stats, error) {
	if err := ctx.Err(); err != nil {
		return driver.UnknownStats, c.wrap(opStats, "", err)
	}
	ctx, start := c.watch(ctx, opStats)
	stats, err := c.ops.Stats(ctx)
	if err != nil {
		stats = driver.UnknownStats
	}
	return stats, c.finish(ctx, start, "", Event{Op: opStats, Err: err})
}

// Close closes the backend. Closing twice is not an error; every operation
// after Close returns [ErrClosed].
func (c *Cache) Close() error { return c.wrap(opClose, "", c.backend.Close()) }
