package uwsgi

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
)

// Backend stores entries in a cache of a uWSGI server. It is safe for concurrent
// use. A batch sends one request per key, up to [Options.PoolSize] at a time.
type Backend struct {
	many
	options   Options // complete
	dialer    dialer
	maxKey    int
	slots     chan struct{} // one element for each open connection
	lastCheck atomic.Int64  // unix second of the last explainRefusal that found the cache
	closed    atomic.Bool
}

type many = remote.Many

// New returns a Backend after it has checked the cache: it stores, reads and removes
// an entry under a random key, with the largest key that o allows and the largest value up
// to 1 MiB. An unreachable server and a missing cache are [driver.ErrUnavailable]. A full
// cache is not an error. All invalid options are reported at once.
func New(ctx context.Context, o Options) (*Backend, error) {
	o.Addr = cmp.Or(o.Addr, "127.0.0.1:3031") // not a default of CACHE_UWSGI_NAME, which is required
	if err := driver.Complete(&o); err != nil {
		return nil, fmt.Errorf("uwsgi: %w", err)
	}
	b := &Backend{options: o, dialer: newDialer(o), maxKey: o.maxKey(), slots: make(chan struct{}, o.PoolSize)}
	b.many = remote.NewMany(b, o.PoolSize, func(key string) error { return b.check(request{key: key}) })
	if err := b.probeLimits(ctx); err != nil {
		return nil, fmt.Errorf("uwsgi: %w", err)
	}
	return b, nil
}

// Get returns the value of key. The caller owns the slice.
func (b *Backend) Get(ctx context.Context, key string) ([]byte, bool, error) {
	e, err := b.lookup(ctx, key, nil)
	if err != nil || !e.isAlive() {
		return nil, false, err
	}
	return e.value, true, nil
}

// GetAppend reads the value into the capacity of dst if it is large enough.
func (b *Backend) GetAppend(ctx context.Context, key string, dst []byte) ([]byte, bool, error) {
	e, err := b.lookup(ctx, key, dst[len(dst):])
	if err != nil || !e.isAlive() {
		return dst, false, err
	}
	return remote.Append(dst, e.value), true, nil
}

// GetWithTTL returns the value of key with its remaining TTL, both of one reply. The TTL
// ends with a second of the server's clock, up to two seconds after what was set.
func (b *Backend) GetWithTTL(ctx context.Context, key string) ([]byte, time.Duration, bool, error) {
	e, err := b.lookup(ctx, key, nil)
	ttl, ok := e.ttl()
	if err != nil || !ok {
		return nil, 0, false, err
	}
	if ttl > 0 { // the server's clock may be exact
		ttl = max(ttl-clockTick, 1)
	}
	return e.value, ttl, true, nil
}

// Set stores value. The TTL starts when the server executes the request.
func (b *Backend) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	r := request{command: "update", key: key, value: b.encode(value), seconds: seconds(ttl)}
	if err := b.check(r); err != nil {
		return err
	}
	start := time.Now().Unix()
	_, err := b.roundTrip(ctx, r)
	if err == errNoReply {
		return b.explainSet(ctx, r, start)
	}
	return remote.Outcome(ctx, err, true)
}

// explainSet returns why the update r, sent not before the unix second start, got no
// reply. The server has finished with r, because it has closed the connection.
func (b *Backend) explainSet(ctx context.Context, r request, start int64) error {
	e, err := b.read(ctx, r.key, nil)
	switch {
	case err != nil:
		return remote.Outcome(ctx, err, true)
	case e.found && bytes.Equal(b.encode(e.value), r.value) && e.isFrom(r, start):
		return nil // only the reply was lost
	case e.found: // an existing entry needs no room, so the cache is not full
		return errTooLarge
	}
	return b.explainRefusal(ctx)
}

// TTL returns the remaining TTL of key, up to two seconds more than what was set.
func (b *Backend) TTL(ctx context.Context, key string) (time.Duration, bool, error) {
	e, err := b.lookup(ctx, key, nil) // the zero entry after an error
	ttl, ok := e.ttl()
	return ttl, ok, err
}

// CopiesValues reports that the backend shares no memory with its callers.
func (b *Backend) CopiesValues() bool { return true }

// Close makes later calls return [driver.ErrClosed]. Calls in progress finish. No
// connection is open between calls.
func (b *Backend) Close() error {
	b.closed.Store(true)
	return nil
}

// lookup checks and reads key, with its value in memory if the capacity is large enough.
// The entry may be expired.
func (b *Backend) lookup(ctx context.Context, key string, memory []byte) (entry, error) {
	if err := b.check(request{key: key}); err != nil {
		return entry{}, err
	}
	e, err := b.read(ctx, key, memory)
	return e, remote.Outcome(ctx, err, false)
}

// read gets key. Its error is that of the round trip, and not marked as unsent: a read
// also explains why a write that was sent got no reply.
func (b *Backend) read(ctx context.Context, key string, memory []byte) (entry, error) {
	e, err := b.roundTripAgain(ctx, request{command: "get", key: key, memory: memory})
	if unsent, ok := err.(remote.Unsent); ok {
		err = unsent.Err
	}
	if err == errNoReply {
		return entry{}, nil
	}
	if b.options.Flask {
		e.value = driver.IntegerFromPickle(e.value)
	}
	return e, err
}

// encode returns value in the form that the server keeps.
func (b *Backend) encode(value []byte) []byte {
	if b.options.Flask {
		value = driver.IntegerToPickle(value)
	}
	return escape(value)
}

// check returns an error if b is closed, or if the server would refuse r, which it
// does without a reason.
func (b *Backend) check(r request) error {
	switch {
	case b.closed.Load():
		return driver.ErrClosed
	case r.key == "":
		return fmt.Errorf("%w: empty", driver.ErrInvalidKey)
	case len(r.key) > b.maxKey:
		return fmt.Errorf("%w: %d bytes, at most %d", driver.ErrInvalidKey, len(r.key), b.maxKey)
	case len(r.value) > b.options.MaxValue:
		return fmt.Errorf("%w: %d bytes, at most %d (MaxValue)", driver.ErrTooLarge, len(r.value), b.options.MaxValue)
	}
	return nil
}

var (
	_ driver.Backend     = (*Backend)(nil)
	_ driver.ManyGetter  = (*Backend)(nil)
	_ driver.ManySetter  = (*Backend)(nil)
	_ driver.ManyDeleter = (*Backend)(nil)
	_ driver.TTLer       = (*Backend)(nil)
	_ driver.Pinger      = (*Backend)(nil)
	_ driver.Copier      = (*Backend)(nil)

	_ driver.Appender       = (*Backend)(nil)
	_ driver.LifeGetter     = (*Backend)(nil)
	_ driver.ManyLifeGetter = (*Backend)(nil)
)
