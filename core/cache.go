package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// DefaultTimeout is the life of an entry where neither the cache nor the call
// says otherwise, as in Flask-Caching.
const DefaultTimeout = 300 * time.Second

// Cache is the handle a program uses: the operations over a [Backend]. It owns
// the key prefix, the default timeout, the codec, the checking of arguments, the
// wrapping of errors and the observer. It is safe for concurrent use.
//
// Every operation checks its arguments before any I/O: an empty key is
// [ErrInvalidKey], a negative timeout [ErrInvalidTimeout], and a context that is
// done ends it at once. Errors are [*Error] and tell by errors.Is what went wrong.
type Cache struct {
	backend  Backend
	name     string
	prefix   string
	timeout  time.Duration
	codec    Codec
	observer Observer
	ignore   bool
	copies   bool // the backend shares no memory with its callers
	flights  flights

	// What the backend offers beyond the six methods; nil where it does not.
	haser         Haser
	manyGetter    ManyGetter
	manySetter    ManySetter
	manyDeleter   ManyDeleter
	counter       Counter
	prefixClearer PrefixClearer
	ttler         TTLer
	pinger        Pinger
	values        ValueKeeper
}

// Option configures a Cache in [New] and [Open].
type Option func(*Cache)

// WithPrefix puts prefix, byte for byte, before every key, and confines Clear to
// such keys. Two prefixes are apart when neither begins the other. A prefix
// costs one small allocation per call.
func WithPrefix(prefix string) Option { return func(c *Cache) { c.prefix = prefix } }

// WithDefaultTimeout sets the life of entries stored without [Timeout];
// 0 means that they never expire.
func WithDefaultTimeout(d time.Duration) Option { return func(c *Cache) { c.timeout = d } }

// WithCodec sets how typed views encode values; [JSON] is the default.
func WithCodec(codec Codec) Option { return func(c *Cache) { c.codec = codec } }

// WithObserver calls observe once after every operation.
func WithObserver(observe Observer) Option { return func(c *Cache) { c.observer = observe } }

// WithIgnoreErrors turns every fault into a miss, false or nil, and leaves it to
// the observer to tell. Mistakes of the caller are still returned:
// ErrInvalidKey, ErrInvalidTimeout, ErrClosed, a value that cannot be encoded, and
// a context that is done when the operation begins.
func WithIgnoreErrors() Option { return func(c *Cache) { c.ignore = true } }

// New returns a Cache over backend, which it owns from now on: Close closes it.
func New(backend Backend, options ...Option) *Cache {
	c := &Cache{backend: backend, name: backendName(backend), timeout: DefaultTimeout, codec: JSON}
	c.haser, _ = backend.(Haser)
	c.manyGetter, _ = backend.(ManyGetter)
	c.manySetter, _ = backend.(ManySetter)
	c.manyDeleter, _ = backend.(ManyDeleter)
	c.counter, _ = backend.(Counter)
	c.prefixClearer, _ = backend.(PrefixClearer)
	c.ttler, _ = backend.(TTLer)
	c.pinger, _ = backend.(Pinger)
	c.values, _ = backend.(ValueKeeper)
	if copier, ok := backend.(Copier); ok {
		c.copies = copier.CopiesValues()
	}
	for _, option := range options {
		option(c)
	}
	return c
}

func backendName(backend Backend) string {
	name := strings.TrimPrefix(fmt.Sprintf("%T", backend), "*")
	return strings.TrimSuffix(name, ".Backend")
}

// Backend returns what the cache was made with.
func (c *Cache) Backend() Backend { return c.backend }

// Name returns the name of the backend in errors and events: "redis" for a
// *redis.Backend, "shop.Store" for a *shop.Store.
func (c *Cache) Name() string { return c.name }

// Ping asks the store whether it can be used. Faults are returned even
// WithIgnoreErrors: to know is the purpose of the call.
func (c *Cache) Ping(ctx context.Context) error {
	start, err := c.beginMany(ctx, nil)
	if err != nil {
		return c.wrap(opPing, "", err)
	}
	err = errors.ErrUnsupported
	if c.pinger != nil {
		err = c.pinger.Ping(ctx)
	}
	if errors.Is(err, errors.ErrUnsupported) {
		_, _, err = c.backend.Get(ctx, c.full("ping"))
	}
	c.observe(ctx, Event{Op: opPing, Err: err}, start)
	return c.wrap(opPing, "", err)
}

// Close closes the backend. Closing twice is not an error; every operation
// after Close returns [ErrClosed].
func (c *Cache) Close() error { return c.wrap(opClose, "", c.backend.Close()) }

// begin checks what every operation on a key checks and starts the observer's watch.
func (c *Cache) begin(ctx context.Context, key string) (start time.Time, err error) {
	if err := check(ctx, key); err != nil {
		return start, err
	}
	return c.watch(), nil
}

// beginMany is begin for batches.
func (c *Cache) beginMany(ctx context.Context, keys []string) (start time.Time, err error) {
	if err := ctx.Err(); err != nil {
		return start, err
	}
	if slices.Contains(keys, "") {
		return start, errEmptyKey
	}
	return c.watch(), nil
}

// check and watch are the halves of begin, small enough to be inlined: reads use
// them, as calls would take a large part of the time of a hit in memory.
func check(ctx context.Context, key string) error {
	err := ctx.Err()
	if err == nil && key == "" {
		err = errEmptyKey
	}
	return err
}

func (c *Cache) watch() (start time.Time) {
	if c.observer != nil {
		start = time.Now()
	}
	return start
}

var errEmptyKey = fmt.Errorf("%w: the key is empty", ErrInvalidKey)

// full returns key as the backend knows it.
func (c *Cache) full(key string) string {
	if c.prefix == "" {
		return key // a concatenation would cost a call even so
	}
	return c.prefix + key
}

// lifetime resolves the options of a call to a ttl for the backend.
func (c *Cache) lifetime(options []SetOption) (time.Duration, error) {
	ttl := c.timeout
	for _, option := range options {
		ttl = option.timeout
	}
	if ttl < 0 {
		return 0, fmt.Errorf("%w: %v is negative (0 means never)", ErrInvalidTimeout, ttl)
	}
	return ttl, nil
}

// SetOption adjusts one call that stores. It is a value, and costs no allocation.
type SetOption struct{ timeout time.Duration }

// Timeout sets the life of the entry in place of the default timeout of the
// cache; 0 means that it never expires, a negative one is [ErrInvalidTimeout].
func Timeout(d time.Duration) SetOption { return SetOption{timeout: d} }
