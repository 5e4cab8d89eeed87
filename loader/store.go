package loader

import (
	"context"
	"errors"
	"reflect"
	"sync/atomic"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

// store reads and writes entries, with or without encoding.
type store[T any] struct {
	cache  *cache.Cache
	values cache.View[T]         // encodes values
	kept   cache.View[*entry[T]] // of entries without encoding
	keeps  bool                  // entries are stored without encoding

	// Set after the backend has returned errors.ErrUnsupported.
	noLeases, noSwap atomic.Bool
}

func newStore[T any](c *cache.Cache, options []cache.ViewOption) *store[T] {
	s := &store[T]{cache: c, values: cache.Of[T](c), kept: cache.Of[*entry[T]](c, options...)}
	for _, option := range options {
		s.keeps = s.keeps || option == cache.WithoutEncoding()
	}
	s.keeps = s.keeps && keepsValues(c.Backend())
	return s
}

// keepsValues asks the backend, because a wrapper has the methods of a
// [driver.ValueKeeper] whatever it wraps. Only a backend in memory does not answer
// errors.ErrUnsupported.
func keepsValues(b cache.Backend) bool {
	keeper, ok := b.(driver.ValueKeeper)
	if !ok {
		return false
	}
	_, _, err := keeper.GetValue(context.Background(), "loader")
	return !driver.IsUnsupported(err)
}

// get returns the entry of key, nil if it is absent. Bytes that are not an entry are
// returned as an expired entry.
func (s *store[T]) get(ctx context.Context, key string) (*entry[T], error) {
	if s.keeps {
		e, ok, err := s.kept.Get(ctx, key)
		return orForeign(e, ok, err)
	}
	raw, ok, err := s.cache.Get(ctx, key)
	if !ok || err != nil {
		return nil, err
	}
	return s.decode(raw), nil
}

// getMany is get of several keys. A key that fails is absent; err names it.
func (s *store[T]) getMany(ctx context.Context, keys []string) ([]*entry[T], error) {
	entries := make([]*entry[T], len(keys))
	if s.keeps {
		results, err := s.kept.GetMany(ctx, keys...)
		for i, r := range results {
			entries[i] = r.Value
		}
		return entries, err
	}
	results, err := s.cache.GetMany(ctx, keys...)
	for i, r := range results {
		if r.OK {
			entries[i] = s.decode(r.Value)
		}
	}
	return entries, err
}

// orForeign returns an expired entry for a value that another view has stored.
func orForeign[T any](e *entry[T], ok bool, err error) (*entry[T], error) {
	switch {
	case err != nil && driver.IsCorrupt(err):
		return &entry[T]{}, nil
	case !ok || err != nil:
		return nil, err
	}
	return e, nil
}

// decode returns the entry of raw. The entry keeps raw.
func (s *store[T]) decode(raw []byte) *entry[T] {
	e := &entry[T]{raw: raw}
	body, ok := e.parse(raw)
	e.body = body
	if ok && !e.missing {
		var err error
		e.value, err = s.copy(e)
		ok = err == nil
	}
	if !ok {
		return &entry[T]{raw: raw}
	}
	return e
}

// copy returns a copy of the value of e.
func (s *store[T]) copy(e *entry[T]) (T, error) {
	body := e.body
	if reflect.TypeFor[T]() == reflect.TypeFor[[]byte]() {
		body = append([]byte{}, body...)
	}
	return s.values.Decode(body)
}

// encode sets the bytes of a new entry.
func (s *store[T]) encode(e *entry[T]) error {
	if s.keeps {
		return nil
	}
	var body []byte
	if !e.missing {
		var err error
		if body, err = s.values.Encode(e.value); err != nil {
			return err
		}
	}
	raw := e.append(make([]byte, 0, 64+len(body)))
	e.raw = append(raw, body...)
	e.body = e.raw[len(raw):]
	return nil
}

// life returns how long the store keeps e.
func life[T any](e *entry[T]) (cache.SetOption, bool) {
	left := e.life() - time.Since(e.loaded)
	return cache.Timeout(left), left > 0
}

// add stores e if key is absent.
func (s *store[T]) add(ctx context.Context, key string, e *entry[T]) (err error) {
	timeout, ok := life(e)
	switch {
	case !ok:
	case s.keeps:
		_, err = s.kept.Add(ctx, key, e, timeout)
	default:
		_, err = s.cache.Add(ctx, key, e.raw, timeout)
	}
	return err
}

// replace stores e if old is still stored, and reports whether it did. If the backend
// cannot compare, it stores e.
func (s *store[T]) replace(ctx context.Context, key string, old, e *entry[T]) (replaced bool, err error) {
	timeout, ok := life(e)
	if !ok {
		return false, nil
	}
	if !s.noSwap.Load() {
		switch {
		case !s.keeps:
			replaced, err = s.cache.CompareAndSwap(ctx, key, old.raw, e.raw, timeout)
		case old.nonce != 0:
			replaced, err = s.kept.CompareAndSwap(ctx, key, old, e, timeout)
		default: // bytes, which cannot be compared with a value
			return true, s.kept.Set(ctx, key, e, timeout)
		}
		if !driver.IsUnsupported(err) {
			return replaced, err
		}
		s.noSwap.Store(true)
	}
	if s.keeps {
		return true, s.kept.Set(ctx, key, e, timeout)
	}
	return true, s.cache.Set(ctx, key, e.raw, timeout)
}

// lease returns the entry of key, or the token of its lease.
func (s *store[T]) lease(ctx context.Context, key string, hold time.Duration) (*entry[T], string, error) {
	if s.keeps {
		e, ok, token, err := s.kept.Lease(ctx, key, hold)
		e, err = orForeign(e, ok, err)
		return e, token, err
	}
	raw, ok, token, err := s.cache.Lease(ctx, key, hold)
	if !ok || err != nil {
		return nil, token, err
	}
	return s.decode(raw), "", nil
}

// fill stores e under the lease of key.
func (s *store[T]) fill(ctx context.Context, key, token string, e *entry[T]) (err error) {
	timeout, ok := life(e)
	switch {
	case !ok:
		err = s.cache.Release(ctx, key, token)
	case s.keeps:
		_, err = s.kept.Fill(ctx, key, token, e, timeout)
	default:
		_, err = s.cache.Fill(ctx, key, token, e.raw, timeout)
	}
	return err
}

// expire makes the entry of key stale, or removes it if it would not be served then.
func (s *store[T]) expire(ctx context.Context, key string) error {
	const attempts = 10 // each lost to another writer, whose entry is newer
	for range attempts {
		old, err := s.get(ctx, key)
		if err != nil {
			return err
		}
		if old == nil || old.stale+old.rescue == 0 || old.missing {
			break
		}
		expired := *old
		expired.nonce = newNonce()
		expired.clock = nil
		expired.fresh = min(old.fresh, max(0, time.Since(old.loaded)))
		if err := s.encode(&expired); err != nil {
			break
		}
		if replaced, err := s.replace(ctx, key, old, &expired); replaced || err != nil {
			return err
		}
	}
	_, err := s.cache.Delete(ctx, key)
	return err
}

// budget returns ctx with half of its remaining time, for the read of the store before a
// load.
func (s *store[T]) budget(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, limited := ctx.Deadline()
	if !limited || s.keeps { // memory does not hang
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, deadline.Add(-time.Until(deadline)/2))
}

// failedKeys returns the failures of the keys in err, and whether others failed too.
func failedKeys(err error) (failed map[string]error, others bool) {
	var batch *cache.BatchError
	if !errors.As(err, &batch) {
		return nil, err != nil
	}
	failed = make(map[string]error, len(batch.Failed))
	for _, f := range batch.Failed {
		failed[f.Key] = f.Err
	}
	for err != nil { // a chain that ends with the BatchError holds nothing else
		if err == error(batch) {
			return failed, false
		}
		err = errors.Unwrap(err)
	}
	return failed, true
}
