package gcs

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// A lease is an object under the key itself, so that each write of the key ends it: the
// generation of the object is the token. The object has no bytes and an expiry in the
// past, which makes it absent for every method. An object under another name could
// not be compared in the request that fills the key, and Delete of an absent key would
// have to write it.

// Lease reads the object. If it is not an entry, Lease replaces it by a lease on the
// condition that it is still the same.
//
// Every caller compares the end of a lease with its own clock. If two clocks differ,
// the next caller loads earlier or later by the difference, but waits two minutes at
// most. Fill never stores a stale value, because it compares generations, not times.
func (b *Backend) Lease(ctx context.Context, key string, hold time.Duration) (value []byte, ok bool, token string, err error) {
	o, err := b.object(key)
	if err != nil {
		return nil, false, "", err
	}
	var end time.Time
	generation, err := o.replace(ctx, func(current []byte, e entry) (content, bool, error) {
		value, ok, end = current, e.isLive(), time.Now().Add(hold)
		return content{expires: longPast, lease: roundedUp(end)}, !ok && !e.isHeld(), nil
	})
	switch {
	case err != nil:
		return nil, false, "", err
	case generation == 0:
		return value, ok, "", nil
	}
	return nil, false, fmt.Sprintf("%d %d", end.Sub(processStart), generation), nil
}

// processStart makes the end of a lease in its token a reading of the monotonic clock,
// which does not jump.
var processStart = time.Now()

// parseToken returns the entry of a lease and its end since processStart. The entry of
// a malformed token is the zero entry.
func parseToken(token string) (e entry, end time.Duration) {
	first, second, _ := strings.Cut(token, " ")
	ns, err := strconv.ParseInt(first, 10, 64)
	if err == nil {
		e.generation, _ = strconv.ParseInt(second, 10, 64)
	}
	return e, time.Duration(ns)
}

// isHeld reports whether e is a lease that has not ended. A lease that ends much later
// than any can was written by a machine whose clock is wrong; it would block the key.
func (e entry) isHeld() bool {
	left := time.Until(time.UnixMilli(e.lease))
	return left > 0 && left <= 2*driver.MaxHold
}

// Fill replaces the object on the condition that it is still the lease. It returns
// false without a request if the lease has ended by the clock of this process. The
// token of another process may be refused: its end is by the clock of that process.
func (b *Backend) Fill(ctx context.Context, key, token string, value []byte, ttl time.Duration) (filled bool, err error) {
	expires := expiresAt(ttl)
	o, err := b.object(key)
	if err != nil {
		return false, err
	}
	e, end := parseToken(token)
	if e.generation == 0 || time.Since(processStart) >= end {
		return false, nil
	}
	generation, err := o.putIf(ctx, e, content{value: value, expires: expires})
	return generation != 0, err
}

// Release removes the object on the condition that it is still the lease.
func (b *Backend) Release(ctx context.Context, key, token string) error {
	o, err := b.object(key)
	if err != nil {
		return err
	}
	e, _ := parseToken(token)
	if e.generation == 0 {
		return nil
	}
	_, err = o.remove(ctx, e)
	return err
}

// CompareAndSwap reads the object and replaces it on the condition that it is still
// the same. It starts again if another writer was faster.
func (b *Backend) CompareAndSwap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (swapped bool, err error) {
	expires := expiresAt(ttl)
	o, err := b.object(key)
	if err != nil {
		return false, err
	}
	generation, err := o.replace(ctx, func(current []byte, e entry) (content, bool, error) {
		return content{value: value, expires: expires}, e.isLive() && b.same(current, old), nil
	})
	return generation != 0, err
}
