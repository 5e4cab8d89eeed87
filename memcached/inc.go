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

// Inc reads the number, whatever flags another client stored it with, and makes the
// server count if it is still the same: the server alone would accept values that are not
// integers, wrap around, and stop at zero. Counting keeps expiry and flags. The server
// counts only from zero up, and pads a number that gets shorter with spaces. Such numbers
// are stored anew with the date on which they expire. The binary protocol and gomemcache
// do not return that date, so there the spaces stay and readers trim them.
func (b *Backend) Inc(ctx context.Context, key string, delta int64, ttl time.Duration) (int64, error) {
	for {
		old, err := b.getForSwap(ctx, key)
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
	n, isInteger := int64(0), true
	if old.OK {
		n, isInteger = b.numberIn(old)
	}
	if !isInteger {
		return 0, false, driver.ErrNotInteger
	}
	if sum, err = driver.AddInt64(n, delta); err != nil {
		return 0, false, err
	}
	text := strconv.AppendInt(nil, sum, 10)
	if sum < 0 && b.meta == nil {
		return 0, false, errBelowZero
	}
	next := b.newItem(old.Key, text, ttl)
	switch {
	case !old.OK && old.CAS == 0:
		it, err := b.one(ctx, wire.OpAdd, next)
		return sum, it.OK, err
	case !old.OK: // the placeholder of a lease
	case b.meta == nil, n >= 0 && sum >= 0 && len(text) >= len(old.Value):
		it, err := b.one(ctx, wire.OpIncrement, wire.Item{Key: old.Key, CAS: old.CAS, Number: delta})
		return it.Number, it.OK, err // gomemcache does not compare: the value may have changed
	default:
		date, err := b.one(ctx, wire.OpExpiryTime, wire.Item{Key: old.Key})
		if err != nil || !date.OK || date.CAS != old.CAS {
			return 0, false, err
		}
		next.Flags, next.Expiry = old.Flags, date.Expiry
	}
	done, err = b.replace(ctx, old, next)
	return sum, done, err
}

var errBelowZero = fmt.Errorf("%w: only the text protocol counts below zero", driver.ErrNotInteger)

// Flags say what a value is, but each client has its own: 2 is an integer for
// python-memcached, a float for PHP and "compressed" for Dalli; 4 is an integer for pylibmc
// and "serialized" for PHP. With 0 all of them read and count the plain text. So integers
// have no flags, and a padded number is recognized by its text.

// flagVerbatim marks a value that looks like a padded number and is none.
const flagVerbatim = 1 << 16

// maxPadded is the largest size of a padded number: that of the server's largest number.
const maxPadded = len("18446744073709551615")

// isPadded reports whether value may be a number that the server has padded: an integer
// from zero up with spaces after it.
func isPadded(value []byte) bool {
	if len(value) < 2 || len(value) > maxPadded || value[len(value)-1] != ' ' {
		return false
	}
	n, ok := driver.ParseInteger(bytes.TrimRight(value, " "))
	return ok && n >= 0
}

// flagsOf returns the flags to store value with.
func flagsOf(value []byte) uint32 {
	if isPadded(value) {
		return flagVerbatim
	}
	return 0
}

// unpadded returns the value as it was stored, without the server's padding.
func unpadded(value []byte, flags uint32) []byte {
	if flags != flagVerbatim && isPadded(value) {
		return bytes.TrimRight(value, " ")
	}
	return value
}
