package uwsgi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// Backend keeps entries in a cache of a uWSGI server. It is safe for concurrent
// use.
type Backend struct {
	o      Options
	dialer dialer
	maxKey int
	slots  chan struct{} // one for each connection that is open
	closed atomic.Bool
}

// New returns a Backend whose cache it has tried: it stores, reads and removes an
// entry under a random key, as large as Options allow. A server that cannot be
// reached, and a cache that it does not have, are cache.ErrUnavailable. A full cache
// is no error. All that is wrong with o is reported at once.
func New(ctx context.Context, o Options) (*Backend, error) {
	o, err := o.resolved()
	if err != nil {
		return nil, fmt.Errorf("uwsgi: %w", err)
	}
	b := &Backend{o: o, dialer: newDialer(o), maxKey: o.longestKey(), slots: make(chan struct{}, o.MaxConns)}
	if err := b.check(ctx); err != nil {
		return nil, fmt.Errorf("uwsgi: %w", err)
	}
	return b, nil
}

// Get returns the value of key.
func (b *Backend) Get(ctx context.Context, key string) ([]byte, bool, error) {
	e, err := b.read(ctx, key)
	if err != nil || !e.isAlive() {
		return nil, false, err
	}
	return e.value, true, nil
}

// Set stores value. Life begins when the server executes it.
func (b *Backend) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	r := request{command: "update", key: key, value: escape(value), seconds: seconds(ttl)}
	if err := b.fits(r); err != nil {
		return err
	}
	begin := time.Now().Unix()
	_, err := b.exchange(ctx, r)
	if isBroken(err) {
		if _, again := b.exchange(ctx, r); again == nil || again == errRefused {
			err = again
		}
	}
	if err == errRefused {
		return b.refusedSet(ctx, r, begin)
	}
	return failure(ctx, err, true)
}

// refusedSet finds out why an update, sent at begin, was not answered. The server
// has done with it, for it has closed the connection.
func (b *Backend) refusedSet(ctx context.Context, r request, begin int64) error {
	e, err := b.read(ctx, r.key)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", cache.ErrUnknownOutcome, err)
	case e.found && bytes.Equal(escape(e.value), r.value) && e.isOf(r, begin):
		return nil // only the answer was lost
	case e.found: // then it needs no new place
		return errTooLarge
	}
	return errFull
}

var (
	errFull     = fmt.Errorf("%w, or the server no longer has it", cache.ErrFull)
	errTooLarge = fmt.Errorf("%w: the server refused it: its blocksize is smaller than MaxValue says", cache.ErrTooLarge)
)

// Add is one set, which the server refuses where there is an entry.
func (b *Backend) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	r := request{command: "set", key: key, value: escape(value), seconds: seconds(ttl)}
	if err := b.fits(r); err != nil {
		return false, err
	}
	// Nothing but the server's own sweep may take away an entry that is over: we
	// would take away what somebody has stored since we looked.
	sweep := time.Now().Add(sweepTime)
	for absent := 0; ; {
		_, err := b.exchange(ctx, r)
		if err != errRefused {
			return err == nil, failure(ctx, err, true)
		}
		e, err := b.read(ctx, key)
		switch {
		case err != nil:
			return false, fmt.Errorf("%w: %w", cache.ErrUnknownOutcome, err)
		case e.isAlive():
			return false, nil
		case e.found:
			if time.Now().After(sweep) {
				return false, errNotSwept
			}
			if err := pause(ctx, sweepPause); err != nil {
				return false, failure(ctx, notSent{err}, true)
			}
		default: // it went in between, or the cache is full
			if absent++; absent == 3 {
				return false, b.isFull(ctx)
			}
		}
	}
}

// isFull returns errFull where the cache takes no new entry.
func (b *Backend) isFull(ctx context.Context) error {
	err := b.probe(ctx, probeKey(), []byte("1"))
	if err == errRefused {
		return errFull
	}
	return failure(ctx, err, false)
}

const (
	sweepTime  = 10 * time.Second // more than twice what the server needs by default
	sweepPause = 20 * time.Millisecond
)

var errNotSwept = fmt.Errorf("%w: the entry is over, but the server does not remove it", cache.ErrUnavailable)

// Delete reads key before, for the server would also call one present whose life
// is over. It is two requests where the key is there.
func (b *Backend) Delete(ctx context.Context, key string) (bool, error) {
	e, err := b.read(ctx, key)
	if err != nil || !e.isAlive() {
		return false, err
	}
	_, err = b.exchange(ctx, request{command: "del", key: key})
	if err == errRefused {
		return false, nil // somebody else was first
	}
	return err == nil, failure(ctx, err, true)
}

// TTL returns the remaining life of key.
func (b *Backend) TTL(ctx context.Context, key string) (time.Duration, bool, error) {
	e, err := b.read(ctx, key)
	left := e.left()
	alive := e.found && (e.end == 0 || left > 0)
	if err != nil || !alive {
		return 0, false, err
	}
	return left, true, nil
}

// Clear empties the cache, whoever wrote to it, if Options.FirstCache permits.
func (b *Backend) Clear(ctx context.Context) error {
	if b.closed.Load() {
		return cache.ErrClosed
	}
	if !b.o.FirstCache {
		return errNotFirst
	}
	_, err := b.exchange(ctx, request{command: "clear"})
	if isBroken(err) {
		_, err = b.exchange(ctx, request{command: "clear"})
	}
	if err == errRefused {
		return fmt.Errorf("%w: %w", cache.ErrUnknownOutcome, err)
	}
	return failure(ctx, err, true)
}

var errNotFirst = fmt.Errorf("%w: told to clear a cache that is not its first, the server says ok and clears a part "+
	"of it, or crashes; FirstCache (first_cache in CACHE_OPTIONS) says that this is the first, and lets Clear empty it",
	errors.ErrUnsupported)

// Ping stores, reads and removes an entry under a random key. In a full cache, it
// only finds out that there is one.
func (b *Backend) Ping(ctx context.Context) error {
	err := b.probe(ctx, probeKey(), []byte("1"))
	if err == errRefused {
		return b.checkExists(ctx)
	}
	return failure(ctx, err, false)
}

// CopiesValues reports that no memory is shared with the caller.
func (b *Backend) CopiesValues() bool { return true }

// Close lets calls under way finish. There is nothing else to close.
func (b *Backend) Close() error {
	b.closed.Store(true)
	return nil
}

// read asks for key, once more where the connection breaks.
func (b *Backend) read(ctx context.Context, key string) (entry, error) {
	r := request{command: "get", key: key}
	if err := b.fits(r); err != nil {
		return entry{}, err
	}
	e, err := b.exchange(ctx, r)
	if isBroken(err) {
		e, err = b.exchange(ctx, r)
	}
	if err == errRefused {
		return entry{}, nil
	}
	return e, failure(ctx, err, false)
}

// fits refuses what the server would refuse without a word.
func (b *Backend) fits(r request) error {
	if len(r.key) > b.maxKey {
		return fmt.Errorf("%w: %d bytes, the server takes %d", cache.ErrInvalidKey, len(r.key), b.maxKey)
	}
	if len(r.value) > b.o.MaxValue {
		return fmt.Errorf("%w: %d bytes, the cache takes %d", cache.ErrTooLarge, len(r.value), b.o.MaxValue)
	}
	return nil
}

var (
	_ cache.Backend     = (*Backend)(nil)
	_ cache.ManyGetter  = (*Backend)(nil)
	_ cache.ManySetter  = (*Backend)(nil)
	_ cache.ManyDeleter = (*Backend)(nil)
	_ cache.TTLer       = (*Backend)(nil)
	_ cache.Pinger      = (*Backend)(nil)
	_ cache.Copier      = (*Backend)(nil)
)
