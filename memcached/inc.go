package memcached

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// Inc reads the number, and has the server count if it is still the same: by
// itself the server would count what is no number, wrap around, and stop at zero.
// Counting keeps the expiry. The server counts from zero up and leaves blanks behind
// a number that loses a digit, which only those who know flagInteger take off.
// Other numbers are stored anew, with the date on which they end; the binary
// protocol does not tell that.
func (b *Backend) Inc(ctx context.Context, key string, delta int64, ttl time.Duration) (int64, error) {
	for {
		old, err := b.one(ctx, vGets, item{key: key})
		if err != nil {
			return 0, err
		}
		sum, done, err := b.count(ctx, old, delta, ttl)
		if done || err != nil {
			return sum, err
		}
	}
}

// count is one try of Inc. It is not done where somebody else was faster.
func (b *Backend) count(ctx context.Context, old item, delta int64, ttl time.Duration) (sum int64, done bool, err error) {
	n := int64(0)
	if old.ok {
		if n, err = numberIn(old); err != nil {
			return 0, false, err
		}
	}
	if delta > 0 && n > math.MaxInt64-delta || delta < 0 && n < math.MinInt64-delta {
		return 0, false, errRange
	}
	sum = n + delta
	text := strconv.AppendInt(nil, sum, 10)
	if sum < 0 && !b.store.tellsDates() {
		return 0, false, errBelowZero
	}
	next := item{key: old.key, cas: old.cas, value: text, flags: flagInteger, number: delta}
	verb := vSwap
	switch {
	case !old.ok:
		verb, next.expiry = vAdd, expiryOf(ttl)
	case !b.store.tellsDates(), n >= 0 && sum >= 0 && (old.flags == flagInteger || len(text) >= len(old.value)):
		verb, next.value = vCount, nil
	default:
		date, err := b.one(ctx, vDate, item{key: old.key})
		if err != nil || !date.ok || date.cas != old.cas {
			return 0, false, err
		}
		next.expiry = date.expiry
	}
	it, err := b.one(ctx, verb, next)
	if verb == vCount {
		sum = it.number // a borrowed client counts from whatever is there
	}
	return sum, it.ok, err
}

var (
	errRange     = fmt.Errorf("%w: the sum is beyond it", cache.ErrNotInteger)
	errBelowZero = fmt.Errorf("%w: below zero only the text protocol counts", cache.ErrNotInteger)
)

// numberIn returns the number that it holds, perhaps with the server's blanks.
func numberIn(it item) (int64, error) {
	n, ok := integer(bytes.TrimRight(it.value, " "))
	if !ok || it.flags&^flagInteger != 0 {
		return 0, cache.ErrNotInteger
	}
	return n, nil
}
