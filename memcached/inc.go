package memcached

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/memcached/internal/wire"
)

// Inc reads the number and makes the server count if it is still the same: the server
// alone would accept values that are not integers, wrap around, and stop at zero.
// Counting keeps the expiry. The server counts only from zero up, and pads a number that
// gets shorter with spaces, which readers trim only if they know flagInteger. Other
// numbers are stored anew with the date on which they expire; the binary protocol does
// not return that date.
func (b *Backend) Inc(ctx context.Context, key string, delta int64, ttl time.Duration) (int64, error) {
	for {
		old, err := b.one(ctx, wire.OpGets, wire.Item{Key: key})
		if err != nil {
			return 0, err
		}
		sum, done, err := b.count(ctx, old, delta, ttl)
		if done || err != nil {
			return sum, err
		}
	}
}

// count is one attempt of Inc. It is not done if another writer was faster.
func (b *Backend) count(ctx context.Context, old wire.Item, delta int64, ttl time.Duration) (sum int64, done bool, err error) {
	n, err := numberIn(old)
	if err == nil {
		sum, err = driver.AddInt64(n, delta)
	}
	if err != nil {
		return 0, false, err
	}
	text := strconv.AppendInt(nil, sum, 10)
	if sum < 0 && !b.store.HasExpiry() {
		return 0, false, errBelowZero
	}
	next := wire.Item{Key: old.Key, CAS: old.CAS, Value: text, Flags: flagInteger, Number: delta}
	op := wire.OpCompareAndSwap
	switch {
	case !old.OK:
		op, next.Expiry = wire.OpAdd, expiryOf(ttl)
	case !b.store.HasExpiry(), n >= 0 && sum >= 0 && (old.Flags == flagInteger || len(text) >= len(old.Value)):
		op, next.Value = wire.OpIncrement, nil
	default:
		date, err := b.one(ctx, wire.OpExpiryTime, wire.Item{Key: old.Key})
		if err != nil || !date.OK || date.CAS != old.CAS {
			return 0, false, err
		}
		next.Expiry = date.Expiry
	}
	it, err := b.one(ctx, op, next)
	if op == wire.OpIncrement {
		sum = it.Number // gomemcache has no CAS for it: the value may have changed
	}
	return sum, it.OK, err
}

var errBelowZero = fmt.Errorf("%w: only the text protocol counts below zero", driver.ErrNotInteger)

// flagInteger marks a decimal integer, as Python's clients do. Readers use it to trim the
// spaces that the server leaves when a number gets shorter.
const flagInteger = 1 << 1

// flagsOf returns the flags to store value with.
func flagsOf(value []byte) uint32 {
	if _, ok := driver.ParseInteger(value); ok {
		return flagInteger
	}
	return 0
}

// numberIn returns the number in it without the server's padding, or 0 if it is absent.
func numberIn(it wire.Item) (int64, error) {
	if !it.OK {
		return 0, nil
	}
	n, ok := driver.ParseInteger(bytes.TrimRight(it.Value, " "))
	if !ok || it.Flags&^flagInteger != 0 {
		return 0, driver.ErrNotInteger
	}
	return n, nil
}

// unpadded returns the value as it was stored.
func unpadded(value []byte, flags uint32) []byte {
	if flags == flagInteger {
		return bytes.TrimRight(value, " ")
	}
	return value
}
