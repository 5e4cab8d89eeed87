package memcached

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	cache "github.com/cachebackends/cachebackends/core"
)

// Backend keeps entries in memcached. It is safe for concurrent use.
type Backend struct {
	store      store
	options    Options
	keyLimit   int // in bytes, with the prefix
	valueLimit int // in bytes
	closed     atomic.Bool
}

// store is who talks to the servers.
type store interface {
	// do runs r, whose items all belong to one server. After an error r may still
	// be in use.
	do(ctx context.Context, r *request) error
	// many runs v for items of any servers, and leaves an error in each item that
	// has no answer.
	many(ctx context.Context, v verb, items []item)
	// each runs v, which is about no item, on every server.
	each(ctx context.Context, v verb) error
	// clearPrefix removes what begins with prefix.
	clearPrefix(ctx context.Context, prefix string) error
	// tellsDates reports whether vDate, and the expiry of vLook, are known.
	tellsDates() bool
	close()
}

// New returns a Backend that opens connections when they are needed: servers need
// not be there yet, and Ping tells whether they are. All that is wrong with o is
// reported at once.
func New(ctx context.Context, o Options) (*Backend, error) {
	o, err := o.resolved()
	if err != nil {
		return nil, fmt.Errorf("memcached: %w", err)
	}
	if addr, is := o.exposed(); is {
		slog.WarnContext(ctx, "memcached: the password is sent to the server without TLS", "server", addr)
	}
	o, credentials := o.withoutSecret()
	return newBackend(newWire(o, credentials), o), nil
}

// NewFromClient returns a Backend over a client of the application, and never
// closes it. Of o, only Spread, ChunkSize, MaxChunks, MaxItemSize and AllowFlush
// may be set, for the client has its settings. The documentation of the package
// says what gomemcache cannot do.
func NewFromClient(client *memcache.Client, o Options) (*Backend, error) {
	rest := o
	rest.Spread, rest.ChunkSize, rest.MaxChunks, rest.MaxItemSize, rest.AllowFlush = false, 0, 0, 0, false
	if !reflect.ValueOf(rest).IsZero() {
		return nil, errors.New("memcached: a client that is handed over has its settings already: " +
			"only Spread, ChunkSize, MaxChunks, MaxItemSize and AllowFlush may be given with it")
	}
	if client == nil {
		return nil, errors.New("memcached: the client is nil")
	}
	o, err := o.resolved()
	if err != nil {
		return nil, fmt.Errorf("memcached: %w", err)
	}
	return newBackend(borrowed{client}, o), nil
}

func newBackend(s store, o Options) *Backend {
	b := &Backend{store: s, options: o, keyLimit: keyLimit, valueLimit: o.maxValue()}
	if o.Spread {
		b.keyLimit, b.valueLimit = keyLimit-chunkSuffix, o.spreadLimit()
	}
	return b
}

// Get returns the value of key.
func (b *Backend) Get(ctx context.Context, key string) ([]byte, bool, error) {
	it, err := b.one(ctx, vGet, item{key: key})
	switch {
	case err != nil || !it.ok:
		return nil, false, err
	case it.flags == flagSpread:
		return b.join(ctx, it)
	}
	return unpadded(it.value, it.flags), true, nil
}

// Set stores value. Life begins when the server executes it.
func (b *Backend) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	stored, err := b.put(ctx, vSet, key, value, ttl)
	if err == nil && !stored {
		return errNotStored
	}
	return err
}

// errNotStored is what no server says of a plain set.
var errNotStored = fmt.Errorf("%w: the server did not store it", cache.ErrUnavailable)

// Add is one command of the server.
func (b *Backend) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	if b.isLarge(value) {
		// Rather than to send the chunks for nothing.
		if there, err := b.Has(ctx, key); there || err != nil {
			return false, err
		}
	}
	added, err := b.put(ctx, vAdd, key, value, ttl)
	if added || err != nil || !b.options.Spread {
		return added, err
	}
	if there, err := b.Has(ctx, key); there || err != nil {
		return false, err
	}
	return b.put(ctx, vAdd, key, value, ttl) // it was a head without its chunks
}

func (b *Backend) put(ctx context.Context, v verb, key string, value []byte, ttl time.Duration) (bool, error) {
	it := item{key: key, value: value, flags: flagsOf(value), expiry: expiryOf(ttl)}
	if !b.isLarge(value) {
		it, err := b.one(ctx, v, it)
		return it.ok, err
	}
	if err := b.checkOne(it); err != nil {
		return false, err
	}
	items := []item{it}
	b.putLarge(ctx, v, items)
	return items[0].ok, items[0].err
}

// isLarge reports whether value goes into chunks.
func (b *Backend) isLarge(value []byte) bool {
	return b.options.Spread && len(value) > b.options.ChunkSize
}

// Delete removes key.
func (b *Backend) Delete(ctx context.Context, key string) (bool, error) {
	if !b.options.Spread {
		it, err := b.one(ctx, vDelete, item{key: key})
		return it.ok, err
	}
	if err := b.checkOne(item{key: key}); err != nil {
		return false, err
	}
	items := itemsOf([]string{key})
	b.remove(ctx, items)
	return items[0].ok, items[0].err
}

// Has asks for key without its value.
func (b *Backend) Has(ctx context.Context, key string) (bool, error) {
	it, err := b.one(ctx, vLook, item{key: key})
	if it.ok && it.flags == flagSpread {
		return b.hasChunks(ctx, key)
	}
	return it.ok, err
}

// TTL returns the remaining life of key in the server's seconds: up to 3 s more
// than what is left of the life that was asked for.
func (b *Backend) TTL(ctx context.Context, key string) (time.Duration, bool, error) {
	if !b.store.tellsDates() {
		return 0, false, errNoTTL
	}
	it, err := b.one(ctx, vLook, item{key: key})
	if err != nil || !it.ok || it.expiry < 0 {
		return 0, it.ok, err
	}
	return time.Duration(it.expiry) * time.Second, true, nil
}

var errNoTTL = fmt.Errorf("%w: neither the binary protocol nor gomemcache tells how long an entry lives", errors.ErrUnsupported)

// Ping asks every server.
func (b *Backend) Ping(ctx context.Context) error {
	if b.closed.Load() {
		return cache.ErrClosed
	}
	return b.store.each(ctx, vPing)
}

// CopiesValues reports that no memory is shared with the caller.
func (b *Backend) CopiesValues() bool { return true }

// Close closes the connections, unless they belong to a borrowed client. Calls
// under way finish.
func (b *Backend) Close() error {
	if !b.closed.Swap(true) {
		b.store.close()
	}
	return nil
}

// one runs v for one item, and returns it with its answer.
func (b *Backend) one(ctx context.Context, v verb, it item) (item, error) {
	if err := b.checkOne(it); err != nil {
		return item{}, err
	}
	r := newRequest(v, it)
	if err := b.store.do(ctx, r); err != nil {
		return item{}, err
	}
	it = r.one[0]
	r.release()
	return it, it.err
}

// checkOne finds out whether it may be tried at all.
func (b *Backend) checkOne(it item) error {
	if b.closed.Load() {
		return cache.ErrClosed
	}
	if err := checkKey(it.key, b.keyLimit); err != nil {
		return err
	}
	return checkSize(it.value, b.valueLimit)
}

var (
	_ cache.Backend       = (*Backend)(nil)
	_ cache.Haser         = (*Backend)(nil)
	_ cache.ManyGetter    = (*Backend)(nil)
	_ cache.ManySetter    = (*Backend)(nil)
	_ cache.ManyDeleter   = (*Backend)(nil)
	_ cache.Counter       = (*Backend)(nil)
	_ cache.PrefixClearer = (*Backend)(nil)
	_ cache.TTLer         = (*Backend)(nil)
	_ cache.Pinger        = (*Backend)(nil)
	_ cache.Copier        = (*Backend)(nil)
)
