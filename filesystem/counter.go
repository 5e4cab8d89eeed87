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

// inc adds delta to the number under name, or stores it with the life of e. The
// lock is held from reading to writing.
func (b *Backend) inc(ctx context.Context, d *dir, name string, e entry, delta int64) (sum int64, err error) {
	if err := b.lock(ctx, d); err != nil {
		return 0, err
	}
	defer b.unlock(d)
	old, expires, err := load(d, name, e.key)
	absent := errors.Is(err, fs.ErrNotExist) || errors.Is(err, cache.ErrCorrupt) || expires.expired(time.Now())
	switch {
	case absent:
		sum = delta
	case err != nil:
		return 0, err
	default:
		e.expires = expires
		if sum, err = add(old, delta); err != nil {
			return 0, err
		}
	}
	e.value = strconv.AppendInt(nil, sum, 10)
	temp, err := b.stage(ctx, d, e)
	if err != nil {
		return 0, err
	}
	return sum, b.settle(d, temp, b.publish(ctx, d, temp, name, e))
}

// add returns the number that is written in text, plus delta.
func add(text []byte, delta int64) (int64, error) {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return 0, cache.ErrNotInteger
	}
	if delta > 0 && n > math.MaxInt64-delta || delta < 0 && n < math.MinInt64-delta {
		return 0, fmt.Errorf("%w: the sum is beyond it", cache.ErrNotInteger)
	}
	return n + delta, nil
}
