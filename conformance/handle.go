package conformance

import (
	"context"
	"errors"
	"sync"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// handle is one open backend as a case calls it: through Cache, or directly in
// the mode bare. The methods that the backend lacks go through Cache.
type handle struct {
	cache   *cache.Cache
	bare    cache.Backend // nil: call through cache
	prefix  string        // put before each key, if cache has no prefix
	written *keySet
}

// keySet records which keys a case may have left in a shared store.
type keySet struct {
	prefix string // that Cache puts before each key
	mu     sync.Mutex
	keys   map[string]struct{}
}

func (r *keySet) note(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys[r.prefix+key] = struct{}{}
}

func (h *handle) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if h.bare != nil {
		return h.bare.Get(ctx, h.prefix+key)
	}
	return h.cache.Get(ctx, h.prefix+key)
}

func (h *handle) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	h.written.note(h.prefix + key)
	if h.bare != nil {
		return h.bare.Set(ctx, h.prefix+key, value, ttl)
	}
	return h.cache.Set(ctx, h.prefix+key, value, cache.Timeout(ttl))
}

func (h *handle) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	h.written.note(h.prefix + key)
	if h.bare != nil {
		return h.bare.Add(ctx, h.prefix+key, value, ttl)
	}
	return h.cache.Add(ctx, h.prefix+key, value, cache.Timeout(ttl))
}

func (h *handle) Delete(ctx context.Context, key string) (bool, error) {
	if h.bare != nil {
		return h.bare.Delete(ctx, h.prefix+key)
	}
	return h.cache.Delete(ctx, h.prefix+key)
}

func (h *handle) Has(ctx context.Context, key string) (bool, error) {
	if haser, can := h.bare.(cache.Haser); can {
		ok, err := haser.Has(ctx, h.prefix+key)
		if !errors.Is(err, errors.ErrUnsupported) {
			return ok, err
		}
	}
	return h.cache.Has(ctx, h.prefix+key)
}

func (h *handle) TTL(ctx context.Context, key string) (time.Duration, bool, error) {
	if ttler, can := h.bare.(cache.TTLer); can {
		return ttler.TTL(ctx, h.prefix+key)
	}
	return h.cache.TTL(ctx, h.prefix+key)
}

func (h *handle) Inc(ctx context.Context, key string, delta int64, ttl time.Duration) (int64, error) {
	h.written.note(h.prefix + key)
	if counter, can := h.bare.(cache.Counter); can {
		return counter.Inc(ctx, h.prefix+key, delta, ttl)
	}
	return h.cache.Inc(ctx, h.prefix+key, delta, cache.Timeout(ttl))
}

// GetMany returns one value per key, nil for a miss.
func (h *handle) GetMany(ctx context.Context, keys ...string) ([][]byte, error) {
	full := h.full(keys)
	if getter, can := h.bare.(cache.ManyGetter); can {
		values, err := getter.GetMany(ctx, full)
		if !errors.Is(err, errors.ErrUnsupported) {
			return values, err
		}
	}
	results, err := h.cache.GetMany(ctx, full...)
	values := make([][]byte, len(results))
	for i, r := range results {
		if r.OK {
			values[i] = r.Value
		}
	}
	return values, err
}

func (h *handle) SetMany(ctx context.Context, items map[string]string, ttl time.Duration) error {
	full := make(map[string][]byte, len(items))
	list := make([]cache.Item, 0, len(items))
	for key, value := range items {
		h.written.note(h.prefix + key)
		full[h.prefix+key] = []byte(value)
		list = append(list, cache.Item{Key: h.prefix + key, Value: []byte(value)})
	}
	if setter, can := h.bare.(cache.ManySetter); can {
		err := setter.SetMany(ctx, list, ttl)
		if !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	return h.cache.SetMany(ctx, full, cache.Timeout(ttl))
}

// DeleteMany returns the keys that were present. In the mode bare no key may repeat.
func (h *handle) DeleteMany(ctx context.Context, keys ...string) ([]string, error) {
	full := h.full(keys)
	if deleter, can := h.bare.(cache.ManyDeleter); can {
		present, err := deleter.DeleteMany(ctx, full)
		if !errors.Is(err, errors.ErrUnsupported) {
			var deleted []string
			for i, was := range present {
				if was {
					deleted = append(deleted, keys[i])
				}
			}
			return deleted, err
		}
	}
	deleted, err := h.cache.DeleteMany(ctx, full...)
	for i := range deleted {
		deleted[i] = deleted[i][len(h.prefix):]
	}
	return deleted, err
}

func (h *handle) Clear(ctx context.Context) error {
	if h.bare != nil {
		return h.bare.Clear(ctx)
	}
	return h.cache.Clear(ctx)
}

func (h *handle) Ping(ctx context.Context) error {
	if pinger, can := h.bare.(cache.Pinger); can {
		return pinger.Ping(ctx)
	}
	return h.cache.Ping(ctx)
}

// full returns keys with the prefix of h.
func (h *handle) full(keys []string) []string {
	full := make([]string, len(keys))
	for i, key := range keys {
		full[i] = h.prefix + key
	}
	return full
}

// withoutFallbacks hides the optional methods that Cache has a fallback for. The
// other three stay.
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
