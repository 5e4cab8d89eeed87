package loader

import (
	"context"
	"errors"
	"reflect"
	"slices"
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
		return orForeign[T](nil, false, err)
	}
	return s.decode(raw), nil
}

// getMany is get of several distinct keys. failed has the failures of single keys; err is
// that of all the others. Keys that fail are absent.
func (s *store[T]) getMany(ctx context.Context, keys []string) (entries []*entry[T], failed map[string]error, err error) {
	entries, err = s.getBatch(ctx, keys)
	failed, others := failedKeys(err)
	if !others {
		err = nil
	}
	isInvalid := func(key string) bool { return errors.Is(failed[key], cache.ErrInvalidKey) }
	if !slices.ContainsFunc(keys, isInvalid) {
		return entries, failed, err
	}
	// A batch with an invalid key reads nothing: the others are read again without it.
	read, all, err := s.getMany(ctx, slices.DeleteFunc(slices.Clone(keys), isInvalid))
	if all == nil {
		all = make(map[string]error)
	}
	for i, key := range keys {
		if isInvalid(key) {
			all[key] = failed[key]
			continue
		}
		entries[i], read = read[0], read[1:]
	}
	return entries, all, err
}

// getBatch returns the entries of keys, nil for those that are absent or failed.
func (s *store[T]) getBatch(ctx context.Context, keys []string) ([]*entry[T], error) {
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

// orForeign returns an expired entry without bytes for a value that other code has stored
// and that cannot be read.
func orForeign[T any](e *entry[T], ok bool, err error) (*entry[T], error) {
	switch {
	case err != nil && driver.IsCorrupt(err):
		return &entry[T]{}, nil
	case !ok || err != nil:
		return nil, err
	}
	return e, nil
}

// isUnreadable reports whether e is from orForeign.
func (e *entry[T]) isUnreadable() bool { return e.nonce == 0 && e.raw == nil }

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

// encode sets the bytes of an entry that is new or whose header has changed.
func (s *store[T]) encode(e *entry[T]) error {
	if s.keeps {
		return nil
	}
	body := e.body
	if body == nil && !e.missing {
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

// timeout returns the TTL of e in the store. ok is false if its life has ended.
func (e *entry[T]) timeout() (ttl cache.SetOption, ok bool) {
	left := e.life() - max(0, time.Since(e.loaded)) // other clocks may be ahead
	return cache.Timeout(left), left > 0
}

// add stores e if key is absent.
func (s *store[T]) add(ctx context.Context, key string, e *entry[T], ttl cache.SetOption) (err error) {
	if s.keeps {
		_, err = s.kept.Add(ctx, key, e, ttl)
	} else {
		_, err = s.cache.Add(ctx, key, e.raw, ttl)
	}
	return err
}

// replace stores e if old is still stored, and reports whether it did. If old is not
// readable, or if the backend cannot compare, it stores e.
func (s *store[T]) replace(ctx context.Context, key string, old, e *entry[T], ttl cache.SetOption) (replaced bool, err error) {
	if !old.isUnreadable() && !s.noSwap.Load() {
		if s.keeps {
			replaced, err = s.kept.CompareAndSwap(ctx, key, old, e, ttl)
		} else {
			replaced, err = s.cache.CompareAndSwap(ctx, key, old.raw, e.raw, ttl)
		}
		if !driver.IsUnsupported(err) {
			return replaced, err
		}
		s.noSwap.Store(true)
	}
	if s.keeps {
		return true, s.kept.Set(ctx, key, e, ttl)
	}
	return true, s.cache.Set(ctx, key, e.raw, ttl)
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
		e, err := orForeign[T](nil, false, err)
		return e, token, err
	}
	return s.decode(raw), "", nil
}

// fill stores e under the lease of key, and reports whether it did, which ends the lease.
func (s *store[T]) fill(ctx context.Context, key, token string, e *entry[T], ttl cache.SetOption) bool {
	var filled bool
	var err error // hidden by WithIgnoreErrors
	if s.keeps {
		filled, err = s.kept.Fill(ctx, key, token, e, ttl)
	} else {
		filled, err = s.cache.Fill(ctx, key, token, e.raw, ttl)
	}
	return filled && err == nil
}

// rewrite stores what edit makes of old, the entry of key, under another nonce, so that
// no load that began before is stored. It returns what is stored then. If edit returns
// false, or if every attempt fails, the entry is removed.
func (s *store[T]) rewrite(ctx context.Context, key string, old *entry[T], edit func(*entry[T]) bool) (*entry[T], error) {
	const attempts = 10 // each lost to another writer, whose entry is newer
	for range attempts {
		if old == nil {
			break
		}
		e := *old
		e.nonce = old.nonce.next(old.nonce.lag() + 1)
		if !edit(&e) {
			break
		}
		ttl, lives := e.timeout()
		if !lives || s.encode(&e) != nil {
			break
		}
		replaced, err := s.replace(ctx, key, old, &e, ttl)
		if replaced || err != nil {
			return &e, err
		}
		if old, err = s.get(ctx, key); err != nil {
			return nil, err
		}
	}
	_, err := s.cache.Delete(ctx, key) // also ends a lease
	return nil, err
}

// expire makes an entry stale. It returns false if the entry would not be served then. A
// Refresh that began before does not replace the entry, because its value would be fresh.
func expire[T any](e *entry[T]) bool {
	e.nonce = newNonce()
	e.clock = nil
	if e.stale+e.rescue == 0 || e.missing {
		return false
	}
	// Not even a process whose clock is behind takes the entry for fresh. The other phases
	// end when they did if Fresh had ended now.
	elapsed := min(e.fresh, max(0, time.Since(e.loaded)))
	e.fresh = 0
	if e.stale > 0 {
		e.stale += elapsed
	} else {
		e.rescue += elapsed
	}
	return true
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
