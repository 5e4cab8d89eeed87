package cache

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

const (
	// Intervals at which a load asks for a lease that another process holds.
	minPoll = 2 * time.Millisecond
	maxPoll = 100 * time.Millisecond

	// releaseTimeout bounds a Release. Callers of a load that failed, or whose value the store
	// rejected, wait for it, those with a deadline for at most half of the time that they have
	// left, so that the lease is free when they try again.
	releaseTimeout = time.Second
)

// errHeld means that another process held the lease for the whole wait. The value is
// then loaded without the lease and not stored.
var errHeld = errors.New("another process holds the lease")

// lease is the permission of the store to fill a key.
type lease struct {
	token string // empty if the store supports no leases
	kept  bool   // the lease is of a Go value: FillValue ends it
}

// acquire asks the store for the lease of f's key until it gets the lease, it finds a
// value that another process has stored, or p.hold has passed. fault replaces p.fault.
func (v View[T]) acquire(ctx context.Context, f *flight, p plan) (held lease, found *loadedValue[T], fault error) {
	end := time.Now().Add(p.hold)
	for poll := minPoll; ; poll = min(2*poll, maxPoll) {
		held, found, err := v.askForLease(ctx, f, p.hold)
		left := time.Until(end)
		switch {
		case driver.IsUnsupported(err):
			return lease{}, nil, p.fault
		case err != nil || found != nil || held.token != "":
			return held, found, err
		case left <= 0:
			return lease{}, nil, errHeld
		}
		select {
		case <-time.After(min(poll/2+rand.N(poll), left)):
		case <-ctx.Done():
			return lease{}, nil, ctx.Err()
		}
		v.cache.flights.renewLimits(f) // the callers waited for another process, not for the store
	}
}

// askForLease calls Lease of the backend once, within the limits of the callers.
func (v View[T]) askForLease(ctx context.Context, f *flight, hold time.Duration) (held lease, found *loadedValue[T], err error) {
	c, key := v.cache, f.key
	ctx, stop := c.flights.limited(ctx, f)
	defer stop()
	ctx, start := c.watch(ctx, opLease)
	var data []byte
	found, held.token, err = v.leaseKept(ctx, c.full(key), hold)
	held.kept = err == nil
	if driver.IsUnsupported(err) && !v.keepsValues(ctx, key) {
		var ok bool
		data, ok, held.token, err = c.ops.Lease(ctx, c.full(key), hold)
		if ok && err == nil {
			found, err = v.loadedBefore(key, c.copyOut(data))
		}
	}
	event := leaseEvent(len(data), found != nil, err)
	if driver.IsUnsupported(err) && c.leasesUnsupported.Swap(true) {
		c.endTrace(ctx, event, start)
	} else {
		c.observe(ctx, event, start)
	}
	return held, found, err
}

// leaseKept is Lease for a view without encoding.
func (v View[T]) leaseKept(ctx context.Context, fullKey string, hold time.Duration) (found *loadedValue[T], token string, err error) {
	if v.values == nil {
		return nil, "", errors.ErrUnsupported
	}
	kept, ok, token, err := v.cache.ops.LeaseValue(ctx, fullKey, hold)
	if err != nil || !ok {
		return nil, token, err
	}
	value, isT := kept.(T)
	if !isT {
		if _, err := isNilOf[T](kept); err != nil {
			return nil, "", err
		}
	}
	return &loadedValue[T]{value: value}, "", nil
}

// keepsValues reports whether the backend stores the values of the view without encoding.
func (v View[T]) keepsValues(ctx context.Context, key string) bool {
	if v.values == nil {
		return false
	}
	_, _, err := v.values.GetValue(ctx, v.cache.full(key))
	return !driver.IsUnsupported(err)
}

// loadedBefore decodes data, which another process has stored.
func (v View[T]) loadedBefore(key string, data []byte) (*loadedValue[T], error) {
	value, err := v.decode(data)
	if err != nil {
		return nil, err
	}
	l := &loadedValue[T]{value: value}
	if !isImmutable[T]() {
		l.copy = v.copier(v.detach(data))
	}
	return l, nil
}

// fillLease stores a loaded value under the lease, and reports whether the store still
// accepted it.
func (v View[T]) fillLease(ctx context.Context, held lease, fullKey string, l loadedValue[T], ttl time.Duration) (bool, error) {
	if held.kept {
		return v.cache.ops.FillValue(ctx, fullKey, held.token, l.value, ttl)
	}
	if l.data == nil { // a view without encoding over a backend that encodes
		var err error
		if l.data, err = encode(v.cache, l.value); err != nil {
			return false, err
		}
	}
	return v.cache.ops.Fill(ctx, fullKey, held.token, l.data, ttl)
}

// release ends held, unless it has been filled, so that other processes need not wait for
// its end. The load may have been cancelled.
func (c *Cache) release(ctx context.Context, key string, held *lease) {
	c.startRelease(ctx, key, held)()
}

// startRelease is release without its end, for which finish waits.
func (c *Cache) startRelease(ctx context.Context, key string, held *lease) (finish func()) {
	token := held.token
	if token == "" {
		return func() {}
	}
	held.token = ""
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	ctx, start := c.watch(ctx, opRelease)
	event := Event{Op: opRelease}
	done := make(chan any, 1) // what the backend panicked with
	go func() {
		defer func() { done <- recover() }()
		event.Err = c.ops.Release(ctx, c.full(key), token)
	}()
	return func() {
		defer stop()
		if p := <-done; p != nil {
			panic(p)
		}
		c.observe(ctx, event, start)
	}
}
