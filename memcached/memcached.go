package memcached

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/memcached/internal/wire"
)

// Backend keeps entries in memcached. It is safe for concurrent use.
type Backend struct {
	store      store
	meta       *wire.Client // the store if it supports the meta commands, otherwise nil
	options    Options
	keyLimit   int    // in bytes, with the prefix
	valueLimit int    // in bytes
	id         string // random, part of the tokens of leases
	evictions  evictions
	closed     atomic.Bool
}

// store performs requests: a [wire.Client], or a client of the application.
type store interface {
	// Do performs a request of one item. After an error r may still be in use.
	Do(ctx context.Context, r *wire.Request) error
	// Many performs op for items of any server, and stores an error in each item that
	// has no reply. It skips items that have failed already.
	Many(ctx context.Context, op wire.Op, items []wire.Item)
	// Each performs an operation without items on every server.
	Each(ctx context.Context, op wire.Op) error
	Close()
}

// New returns a Backend that opens connections when they are needed: the servers need
// not be reachable yet, and Ping reports whether they are. The error lists everything
// that is wrong with o.
func New(ctx context.Context, o Options) (*Backend, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	if addr, found := o.unprotected(); found {
		slog.WarnContext(ctx, "memcached: the password is sent to the server without TLS", "server", addr)
	}
	return newBackend(wire.NewClient(o.wire()), o), nil
}

// NewFromClient returns a Backend over a client of the application. Close does not close
// the client. Only Spread, ChunkSize, MaxChunks, MaxItemSize, Flask and AllowFlush of o may
// be set: the client is already configured, also with its distribution of keys. The documentation of the package lists what
// gomemcache does not support.
func NewFromClient(client *memcache.Client, o Options) (*Backend, error) {
	if err := driver.CheckBorrowed(&o, "Spread", "ChunkSize", "MaxChunks", "MaxItemSize", "Flask", "AllowFlush"); err != nil {
		return nil, fmt.Errorf("memcached: %w", err)
	}
	if client == nil {
		return nil, fmt.Errorf("memcached: %w: the client is nil", driver.ErrInvalidSettings)
	}
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	return newBackend(borrowed{client}, o), nil
}

func newBackend(s store, o Options) *Backend {
	b := &Backend{store: s, options: o, keyLimit: keyLimit, valueLimit: o.maxValue(), id: rand.Text()}
	b.evictions = evictions{turn: make(chan struct{}, 1), last: map[string]int64{}}
	if o.Protocol == Text {
		b.meta, _ = s.(*wire.Client)
	}
	switch {
	case o.Spread && o.Flask:
		p := pieced{store: s, size: o.ChunkSize, writeSize: min(o.ChunkSize, o.maxValue())}
		b.store, b.options.Spread = p, false
		b.keyLimit, b.valueLimit = keyLimit-pieceSuffix, p.writeSize*o.MaxChunks
	case o.Spread:
		b.keyLimit, b.valueLimit = keyLimit-chunkSuffix, o.spreadLimit()
	}
	return b
}

// Get returns the value of key.
func (b *Backend) Get(ctx context.Context, key string) ([]byte, bool, error) {
	it, err := b.one(ctx, wire.OpGet, wire.Item{Key: key})
	if err != nil || !it.OK {
		return nil, false, err
	}
	return b.valueOf(ctx, it)
}

// valueOf returns the value of an item that was read.
func (b *Backend) valueOf(ctx context.Context, it wire.Item) (value []byte, ok bool, err error) {
	it = b.join(ctx, it, nil)
	if !it.OK {
		return nil, false, it.Err
	}
	value, err = b.value(it)
	return value, err == nil, err
}

// newItem returns the item to store value in.
func (b *Backend) newItem(key string, value []byte, ttl time.Duration) wire.Item {
	return wire.Item{Key: key, Value: value, Flags: b.flagsOf(value), Expiry: expiryOf(ttl)}
}

// Set stores value. The TTL begins when the server executes the command.
func (b *Backend) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	it, err := b.put(ctx, wire.OpSet, b.newItem(key, value, ttl))
	if err == nil && !it.OK {
		return errNotStored
	}
	return err
}

// errNotStored is the error of a reply that no server sends to a set.
var errNotStored = fmt.Errorf("%w: the server did not store the value", driver.ErrUnavailable)

// Add stores value with one command if key is absent. It replaces the placeholder of a
// lease, and what Get does not return because it is damaged, if it is still the same.
func (b *Backend) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	if b.isLarge(value) { // the chunks would be sent in vain
		if found, err := b.Has(ctx, key); found || err != nil {
			return false, err
		}
	}
	next := b.newItem(key, value, ttl)
	for range maxRaces {
		it, err := b.put(ctx, wire.OpAdd, next)
		if it.OK || err != nil {
			return it.OK, err
		}
		if it.CAS == 0 { // the reply does not describe what is present
			if b.meta == nil && !b.options.Spread && !b.options.Flask {
				return false, nil
			}
			it, err = b.one(ctx, wire.OpMeta, wire.Item{Key: key})
		}
		present := it.CAS != 0 && it.Flags != wire.FlagLease && !b.isUnreadable(it.Flags)
		if err == nil && it.Flags == flagSpread {
			present, err = b.hasChunks(ctx, key)
		}
		if present || err != nil {
			return false, err
		}
		if it.CAS == 0 {
			continue // removed since
		}
		if replaced, err := b.replace(ctx, it, next); replaced || err != nil {
			return replaced, err
		}
	}
	return false, errRaces
}

// put performs op for one item, which may be large.
func (b *Backend) put(ctx context.Context, op wire.Op, it wire.Item) (wire.Item, error) {
	if !b.isLarge(it.Value) {
		return b.one(ctx, op, it)
	}
	if err := b.checkOne(it); err != nil {
		return wire.Item{}, err
	}
	since := wire.Clock()
	items := []wire.Item{it}
	b.putLarge(ctx, op, items)
	items[0].Since = since
	return items[0], items[0].Err
}

// replace stores next if the entry is still the one that was read. If a connection was
// opened since, the server may have been restarted: then nothing is sent, and the entry
// counts as changed.
func (b *Backend) replace(ctx context.Context, read, next wire.Item) (bool, error) {
	next.CAS, next.Since = read.CAS, read.Since
	it, err := b.put(ctx, wire.OpCompareAndSwap, next)
	if errors.Is(err, wire.ErrReconnected) {
		return false, nil
	}
	return it.OK, err
}

// isLarge reports whether value is stored in chunks.
func (b *Backend) isLarge(value []byte) bool {
	return b.options.Spread && len(value) > b.options.ChunkSize
}

// Delete removes key.
func (b *Backend) Delete(ctx context.Context, key string) (bool, error) {
	if !b.options.Spread {
		it, err := b.one(ctx, wire.OpDelete, wire.Item{Key: key})
		return it.OK, err
	}
	if err := b.checkOne(wire.Item{Key: key}); err != nil {
		return false, err
	}
	items := []wire.Item{{Key: key}}
	b.remove(ctx, items)
	return items[0].OK, items[0].Err
}

// Has reports whether key is present, without reading its value.
func (b *Backend) Has(ctx context.Context, key string) (bool, error) {
	it, err := b.one(ctx, wire.OpMeta, wire.Item{Key: key})
	if it.OK && it.Flags == flagSpread {
		return b.hasChunks(ctx, key)
	}
	return it.OK, err
}

// TTL returns the remaining TTL of key in seconds of the server, up to 3 s more than what
// remains of the TTL that was requested.
func (b *Backend) TTL(ctx context.Context, key string) (time.Duration, bool, error) {
	if b.meta == nil {
		return 0, false, errNoMeta
	}
	it, err := b.one(ctx, wire.OpMeta, wire.Item{Key: key})
	if err != nil || !it.OK {
		return 0, false, err
	}
	return ttlOf(it), true, nil
}

// ttlOf returns the remaining TTL of an item, 0 if it never expires. The server may say 0
// seconds during the last one.
func ttlOf(it wire.Item) time.Duration {
	if it.Expiry < 0 {
		return 0
	}
	return max(time.Duration(it.Expiry)*time.Second, 1)
}

var errNoMeta = fmt.Errorf("%w: only the text protocol without a gomemcache client returns remaining TTLs, lists keys and has leases",
	errors.ErrUnsupported)

// Ping sends a command to every server.
func (b *Backend) Ping(ctx context.Context) error {
	if b.closed.Load() {
		return driver.ErrClosed
	}
	return b.store.Each(ctx, wire.OpPing)
}

// CopiesValues reports that values share no memory with the caller.
func (b *Backend) CopiesValues() bool { return true }

// Close closes the connections, but not those of a client of the application. Calls
// under way finish.
func (b *Backend) Close() error {
	if !b.closed.Swap(true) {
		b.store.Close()
	}
	return nil
}

// one performs op for one item and returns it with the reply.
func (b *Backend) one(ctx context.Context, op wire.Op, it wire.Item) (wire.Item, error) {
	if err := b.checkOne(it); err != nil {
		return wire.Item{}, err
	}
	since := wire.Clock()
	r := wire.NewRequest(op, it)
	if err := b.store.Do(ctx, r); err != nil {
		return wire.Item{}, err
	}
	it = r.Items[0]
	r.Release()
	it.Since = since
	it.OK = it.OK && !b.isHidden(op, &it)
	return it, it.Err
}

// isHidden reports whether the item in the reply to op counts as absent.
func (b *Backend) isHidden(op wire.Op, it *wire.Item) bool {
	return it.HasPlaceholder(op) || (op == wire.OpMeta || op == wire.OpDelete) && b.isUnreadable(it.Flags)
}

// many performs op, which reads or deletes, for items.
func (b *Backend) many(ctx context.Context, op wire.Op, items []wire.Item) {
	since := wire.Clock()
	b.store.Many(ctx, op, items)
	for i := range items {
		items[i].Since = since
		items[i].OK = items[i].OK && !b.isHidden(op, &items[i])
	}
}

// checkOne checks what must hold before anything is sent.
func (b *Backend) checkOne(it wire.Item) error {
	if b.closed.Load() {
		return driver.ErrClosed
	}
	if err := checkKey(it.Key, b.keyLimit); err != nil {
		return err
	}
	return b.checkSize(it.Value)
}

var (
	_ driver.Backend       = (*Backend)(nil)
	_ driver.Placer        = (*Backend)(nil)
	_ driver.Haser         = (*Backend)(nil)
	_ driver.ManyGetter    = (*Backend)(nil)
	_ driver.ManySetter    = (*Backend)(nil)
	_ driver.ManyDeleter   = (*Backend)(nil)
	_ driver.Counter       = (*Backend)(nil)
	_ driver.PrefixClearer = (*Backend)(nil)
	_ driver.TTLer         = (*Backend)(nil)
	_ driver.Pinger        = (*Backend)(nil)
	_ driver.Copier        = (*Backend)(nil)
	_ driver.Leaser        = (*Backend)(nil)
	_ driver.Swapper       = (*Backend)(nil)

	_ driver.Appender       = (*Backend)(nil)
	_ driver.LifeGetter     = (*Backend)(nil)
	_ driver.ManyLifeGetter = (*Backend)(nil)
	_ driver.Stater         = (*Backend)(nil)
)
