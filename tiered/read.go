package tiered

import (
	"context"
	"errors"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Get returns the value of key, which the caller must not modify. A value that it reads
// from far is kept near.
func (b *Backend) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if n := b.near; n.usable.Load() { // n.get, which costs a call
		if value, ok, err := n.store.Get(ctx, key); ok && err == nil {
			return value, true, nil
		}
	}
	value, _, ok, err := b.read(ctx, key)
	return value, ok, err
}

// GetAppend appends the value of key to dst.
func (b *Backend) GetAppend(ctx context.Context, key string, dst []byte) ([]byte, bool, error) {
	if extended, ok := b.near.getAppend(ctx, key, dst); ok {
		return extended, true, nil
	}
	value, _, ok, err := b.read(ctx, key)
	if !ok || err != nil {
		return dst, false, err
	}
	return append(dst, value...), true, nil
}

// GetWithTTL returns the value of key with its remaining TTL, both read from far.
func (b *Backend) GetWithTTL(ctx context.Context, key string) ([]byte, time.Duration, bool, error) {
	if !b.lives {
		return b.far.GetWithTTL(ctx, key) // unsupported
	}
	start, r := time.Now(), b.near.beginRead(key)
	defer r.end()
	value, left, ok, err := b.far.GetWithTTL(ctx, key)
	if ok && err == nil {
		b.keep(&r, start, value, lifetime{left, true})
	}
	return value, left, ok, err
}

// read returns the value of key in far, with the time for which it is present, and
// keeps it near.
func (b *Backend) read(ctx context.Context, key string) (value []byte, left lifetime, ok bool, err error) {
	start, r := time.Now(), b.near.beginRead(key)
	defer r.end()
	if value, left, ok, err = b.readFar(ctx, key); ok && err == nil {
		b.keep(&r, start, value, left)
	}
	return value, left, ok, err
}

func (b *Backend) readFar(ctx context.Context, key string) ([]byte, lifetime, bool, error) {
	if b.lives {
		value, left, ok, err := b.far.GetWithTTL(ctx, key)
		if !driver.IsUnsupported(err) {
			return value, lifetime{left, true}, ok, err
		}
	}
	value, ok, err := b.far.Get(ctx, key)
	return value, lifetime{}, ok, err
}

// lifetime is the remaining TTL of an entry in far, 0 if it never expires.
type lifetime struct {
	left  time.Duration
	known bool
}

// keep keeps a value near that a call of far has returned or stored. start is the time
// before that call: the remaining TTL and the time for which the value may be stale
// count from then.
func (b *Backend) keep(c *call, start time.Time, value []byte, l lifetime) {
	life := l.left
	if bound := b.options.NearTTL; bound > 0 && (life == 0 || bound < life) {
		life = bound
	}
	switch {
	case life > 0:
		if life -= time.Since(start); life > 0 {
			c.keep(value, life)
		}
	case l.known:
		c.keep(value, 0)
	}
}

// GetMany returns one value per key, nil for a miss. It reads only those keys from far
// that are not near.
func (b *Backend) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	values := make([][]byte, len(keys))
	var missing []int
	var far []string
	for i, key := range keys {
		value, ok := b.near.get(ctx, key)
		switch {
		case !ok:
			missing, far = append(missing, i), append(far, key)
		case value == nil:
			values[i] = []byte{}
		default:
			values[i] = value
		}
	}
	if len(far) == 0 && len(keys) > 0 {
		return values, nil
	}
	read, err := b.readMany(ctx, far)
	if err != nil && errors.Is(err, driver.ErrInvalidKey) {
		return make([][]byte, len(keys)), err // it fails the batch, whatever is near
	}
	for at, value := range read {
		values[missing[at]] = value
	}
	return values, err
}

// GetManyWithTTL returns values with their remaining TTLs, all read from far.
func (b *Backend) GetManyWithTTL(ctx context.Context, keys []string) ([][]byte, []time.Duration, error) {
	if !b.lives {
		return b.far.GetManyWithTTL(ctx, keys) // unsupported
	}
	start, reads := time.Now(), b.near.beginReads(keys)
	defer endAll(reads)
	values, ttls, err := b.far.GetManyWithTTL(ctx, keys)
	b.keepMany(reads, start, values, ttls, err)
	return values, ttls, err
}

// readMany reads keys from far and keeps the values near. If far returns single values
// with their remaining TTL, but no batches, they are not kept: near would outlive far.
func (b *Backend) readMany(ctx context.Context, keys []string) ([][]byte, error) {
	start, reads := time.Now(), b.near.beginReads(keys)
	defer endAll(reads)
	if b.manyLives {
		values, ttls, err := b.far.GetManyWithTTL(ctx, keys)
		if !driver.IsUnsupported(err) {
			b.keepMany(reads, start, values, ttls, err)
			return values, err
		}
	}
	values, err := b.far.GetMany(ctx, keys)
	if !b.lives || b.manyLives {
		b.keepMany(reads, start, values, nil, err)
	}
	return values, err
}

// keepMany keeps the values near that a batch has returned with err.
func (b *Backend) keepMany(reads []call, start time.Time, values [][]byte, ttls []time.Duration, err error) {
	failed, ok := failedKeys(err)
	if !ok {
		return
	}
	for i, value := range values {
		if value == nil || failed[reads[i].key] {
			continue
		}
		var l lifetime
		if ttls != nil {
			l = lifetime{ttls[i], true}
		}
		b.keep(&reads[i], start, value, l)
	}
}

// failedKeys returns the keys that err, the error of a batch, names. It reports false if
// err does not concern single keys.
func failedKeys(err error) (failed map[string]bool, ok bool) {
	if err == nil {
		return nil, true
	}
	batch, ok := driver.MergeBatch(err).(*driver.BatchError)
	if !ok {
		return nil, false
	}
	failed = make(map[string]bool, len(batch.Failed))
	for _, f := range batch.Failed {
		failed[f.Key] = true
	}
	return failed, true
}
