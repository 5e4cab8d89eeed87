package conformance

import (
	"context"
	"errors"
	"sync"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// store is the operations that a case calls, the same through Cache and on the
// bare Backend. Where the backend lacks an optional method they go through Cache.
type store struct {
	cache    *cache.Cache
	bare     cache.Backend // nil: through Cache
	prefix   string        // before each key, where Cache puts none
	recorder *recorder
}

// recorder remembers which keys a case may have left in a shared store.
type recorder struct {
	prefix string // that Cache puts before each key
	mu     sync.Mutex
	keys   map[string]struct{}
}

func (r *recorder) note(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys[r.prefix+key] = struct{}{}
}

func (s *store) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if s.bare != nil {
		return s.bare.Get(ctx, s.prefix+key)
	}
	return s.cache.Get(ctx, s.prefix+key)
}

func (s *store) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	s.recorder.note(s.prefix + key)
	if s.bare != nil {
		return s.bare.Set(ctx, s.prefix+key, value, ttl)
	}
	return s.cache.Set(ctx, s.prefix+key, value, cache.Timeout(ttl))
}

func (s *store) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	s.recorder.note(s.prefix + key)
	if s.bare != nil {
		return s.bare.Add(ctx, s.prefix+key, value, ttl)
	}
	return s.cache.Add(ctx, s.prefix+key, value, cache.Timeout(ttl))
}

func (s *store) Delete(ctx context.Context, key string) (bool, error) {
	if s.bare != nil {
		return s.bare.Delete(ctx, s.prefix+key)
	}
	return s.cache.Delete(ctx, s.prefix+key)
}

func (s *store) Has(ctx context.Context, key string) (bool, error) {
	if haser, can := s.bare.(cache.Haser); can {
		ok, err := haser.Has(ctx, s.prefix+key)
		if !errors.Is(err, errors.ErrUnsupported) {
			return ok, err
		}
	}
	return s.cache.Has(ctx, s.prefix+key)
}

func (s *store) TTL(ctx context.Context, key string) (time.Duration, bool, error) {
	if ttler, can := s.bare.(cache.TTLer); can {
		return ttler.TTL(ctx, s.prefix+key)
	}
	return s.cache.TTL(ctx, s.prefix+key)
}

func (s *store) Inc(ctx context.Context, key string, delta int64, ttl time.Duration) (int64, error) {
	s.recorder.note(s.prefix + key)
	if counter, can := s.bare.(cache.Counter); can {
		return counter.Inc(ctx, s.prefix+key, delta, ttl)
	}
	return s.cache.Inc(ctx, s.prefix+key, delta, cache.Timeout(ttl))
}

// GetMany returns one value per key, nil for a miss.
func (s *store) GetMany(ctx context.Context, keys ...string) ([][]byte, error) {
	full := s.full(keys)
	if getter, can := s.bare.(cache.ManyGetter); can {
		values, err := getter.GetMany(ctx, full)
		if !errors.Is(err, errors.ErrUnsupported) {
			return values, err
		}
	}
	results, err := s.cache.GetMany(ctx, full...)
	values := make([][]byte, len(results))
	for i, r := range results {
		if r.OK {
			values[i] = r.Value
		}
	}
	return values, err
}

func (s *store) SetMany(ctx context.Context, items map[string]string, ttl time.Duration) error {
	full := make(map[string][]byte, len(items))
	list := make([]cache.Item, 0, len(items))
	for key, value := range items {
		s.recorder.note(s.prefix + key)
		full[s.prefix+key] = []byte(value)
		list = append(list, cache.Item{Key: s.prefix + key, Value: []byte(value)})
	}
	if setter, can := s.bare.(cache.ManySetter); can {
		err := setter.SetMany(ctx, list, ttl)
		if !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	return s.cache.SetMany(ctx, full, cache.Timeout(ttl))
}

// DeleteMany returns the keys that were there. On a bare Backend no key may repeat.
func (s *store) DeleteMany(ctx context.Context, keys ...string) ([]string, error) {
	full := s.full(keys)
	if deleter, can := s.bare.(cache.ManyDeleter); can {
		gone, err := deleter.DeleteMany(ctx, full)
		if !errors.Is(err, errors.ErrUnsupported) {
			var deleted []string
			for i, was := range gone {
				if was {
					deleted = append(deleted, keys[i])
				}
			}
			return deleted, err
		}
	}
	deleted, err := s.cache.DeleteMany(ctx, full...)
	for i := range deleted {
		deleted[i] = deleted[i][len(s.prefix):]
	}
	return deleted, err
}

func (s *store) Clear(ctx context.Context) error {
	if s.bare != nil {
		return s.bare.Clear(ctx)
	}
	return s.cache.Clear(ctx)
}

func (s *store) full(keys []string) []string {
	full := make([]string, len(keys))
	for i, key := range keys {
		full[i] = s.prefix + key
	}
	return full
}

// withoutFallbacks hides the optional methods that Cache has a fallback for, and
// leaves the three that it has none for.
type withoutFallbacks struct{ cache.Backend }

func (b withoutFallbacks) Inc(ctx context.Context, key string, delta int64, ttl time.Duration) (int64, error) {
	if counter, can := b.Backend.(cache.Counter); can {
		return counter.Inc(ctx, key, delta, ttl)
	}
	return 0, errors.ErrUnsupported
}

func (b withoutFallbacks) ClearPrefix(ctx context.Context, prefix string) error {
	if clearer, can := b.Backend.(cache.PrefixClearer); can {
		return clearer.ClearPrefix(ctx, prefix)
	}
	return errors.ErrUnsupported
}

func (b withoutFallbacks) TTL(ctx context.Context, key string) (time.Duration, bool, error) {
	if ttler, can := b.Backend.(cache.TTLer); can {
		return ttler.TTL(ctx, key)
	}
	return 0, false, errors.ErrUnsupported
}
