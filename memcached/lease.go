package memcached

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/memcached/internal/wire"
)

// A leased key has a placeholder: an item with the flags wire.FlagLease, whose value is the
// name of the lease. Every change of the key replaces or removes the placeholder, and the
// server never uses a CAS number twice, so Fill stores with the CAS number of the
// placeholder. The server returns it when it stores the placeholder (ms with the flag c),
// so that Lease is one atomic step; gets, in the same round trip, finds the value or the
// placeholder that is already present. A server that does not know the flag lets gets
// return the number, and Lease starts again if the placeholder was removed before that.
//
// The placeholder of the server itself (mg with the flag N) has no value and no flags: only
// a further command would distinguish it from an empty value, at every hit.

// Lease returns the value of key. If key is absent, it stores a placeholder, which the
// server removes at the end of hold, and returns the token of the lease.
func (b *Backend) Lease(ctx context.Context, key string, hold time.Duration) (value []byte, ok bool, token string, err error) {
	if b.meta == nil {
		return nil, false, "", errNoMeta
	}
	if b.options.Flask {
		return nil, false, "", errFlaskLease
	}
	name := rand.Text()
	placeholder := wire.Item{Key: key, Value: []byte(name), Flags: wire.FlagLease, Expiry: expiryOf(hold)}
	for range maxRaces {
		it, err := b.one(ctx, wire.OpLease, placeholder)
		switch {
		case err != nil:
			return nil, false, "", err
		case !it.OK && string(it.Value) == name:
			return nil, false, lease{name, b.id, it.CAS, it.Since}.token(key), nil
		case it.CAS == 0:
			continue // removed since
		case !it.OK:
			return nil, false, "", nil // of another caller
		}
		value, ok, err := b.valueOf(ctx, it)
		if ok || err != nil && !driver.IsCorrupt(err) {
			return value, ok, "", err
		}
		if err != nil { // damaged
			if _, err := b.replace(ctx, it, placeholder); err != nil {
				return nil, false, "", err
			}
		}
	}
	return nil, false, "", errRaces
}

// Fill replaces the placeholder by value if token is the lease of key.
func (b *Backend) Fill(ctx context.Context, key, token string, value []byte, ttl time.Duration) (bool, error) {
	return b.endLease(ctx, wire.OpCompareAndSwap, b.newItem(key, value, ttl), token)
}

// Release removes the placeholder if token is the lease of key.
func (b *Backend) Release(ctx context.Context, key, token string) error {
	_, err := b.endLease(ctx, wire.OpDelete, wire.Item{Key: key}, token)
	return err
}

// endLease performs op if token is the lease of the key. If no connection is older than the
// lease, the server may have been restarted since: then endLease reads the placeholder
// first.
func (b *Backend) endLease(ctx context.Context, op wire.Op, next wire.Item, token string) (bool, error) {
	if err := b.checkOne(next); err != nil {
		return false, err
	}
	l, ok := parseToken(token, next.Key)
	if !ok {
		return false, nil
	}
	if l.owner != b.id {
		l.since = math.MinInt64
	}
	for range maxRaces {
		next.CAS, next.Since = l.cas, l.since
		it, err := b.put(ctx, op, next)
		if !errors.Is(err, wire.ErrReconnected) {
			return it.OK, err
		}
		it, err = b.one(ctx, wire.OpGets, wire.Item{Key: next.Key})
		if err != nil || !it.HasPlaceholder(wire.OpGets) || string(it.Value) != l.name {
			return false, err
		}
		l.cas, l.since = it.CAS, it.Since
	}
	return false, errRaces
}

// lease is the content of a token.
type lease struct {
	name  string // random, the value of the placeholder
	owner string // Backend.id
	cas   uint64
	since time.Duration // when cas was read, by the clock of the owner
}

func (l lease) token(key string) string {
	return fmt.Sprintf("%s %s %d %d %s", l.name, l.owner, l.cas, int64(l.since), key)
}

func parseToken(token, key string) (l lease, ok bool) {
	parts := strings.SplitN(token, " ", 5)
	if len(parts) < 5 || parts[4] != key {
		return l, false
	}
	cas, err := strconv.ParseUint(parts[2], 10, 64)
	since, err2 := strconv.ParseInt(parts[3], 10, 64)
	return lease{parts[0], parts[1], cas, time.Duration(since)}, err == nil && err2 == nil
}
