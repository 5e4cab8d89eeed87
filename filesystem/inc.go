package filesystem

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strconv"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// inc adds delta to the integer under the key of the entry, or stores delta if
// the key is absent. It holds the lock from reading to writing.
func (tx *writeTx) inc(ctx context.Context, delta int64) (int64, error) {
	if err := tx.backend.lock(ctx, tx.dir); err != nil {
		return 0, err
	}
	defer tx.backend.unlock(tx.dir)
	sum := delta
	old, expires, err := load(tx.dir, tx.name, tx.entry.key)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, cache.ErrCorrupt):
		// absent
	case err != nil:
		return 0, err
	case !expires.expired(time.Now()):
		if sum, err = add(old, delta); err != nil {
			return 0, err
		}
		tx.entry.expires = expires
	}
	tx.entry.value = strconv.AppendInt(nil, sum, 10)
	if err := tx.stage(ctx); err != nil {
		return 0, err
	}
	return sum, tx.finish(tx.publish(ctx))
}

// add returns the sum of delta and the integer in text.
func add(text []byte, delta int64) (int64, error) {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return 0, cache.ErrNotInteger
	}
	if delta > 0 && n > math.MaxInt64-delta || delta < 0 && n < math.MinInt64-delta {
		return 0, fmt.Errorf("%w: sum overflows int64", cache.ErrNotInteger)
	}
	return n + delta, nil
}
