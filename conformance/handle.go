package conformance

import (
	"context"
	"sync"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

// handle is one open backend as a case calls it: through Cache, or directly in
// the mode bare.
type handle struct {
	cache   *cache.Cache
	bare    *driver.Operations // nil: call through cache
	prefix  string             // put before each key, if cache has no prefix
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
	if h.bare != nil {
		return h.bare.Has(ctx, h.prefix+key)
	}
	return h.cache.Has(ctx, h.prefix+key)
}

func (h *handle) TTL(ctx context.Context, key string) (time.Duration, bool, error) {
	if h.bare != nil {
		return h.bare.TTL(ctx, h.prefix+key)
	}
	return h.cache.TTL(ctx, h.prefix+key)
}

func (h *handle) Inc(ctx context.Context, key string, delta int64, ttl time.Duration) (int64, error) {
	h.written.note(h.prefix + key)
	if h.bare != nil {
		return h.bare.Inc(ctx, h.prefix+key, delta, ttl)
	}
	return h.cache.Inc(ctx, h.prefix+key, delta, cache.Timeout(ttl))
}

// GetMany returns one value per key, nil for a miss.
func (h *handle) GetMany(ctx context.Context, keys ...string) ([][]byte, error) {
	if h.bare != nil {
		return h.bare.GetMany(ctx, h.full(keys))
	}
	results, err := h.cache.GetMany(ctx, h.full(keys)...)
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
	list := make([]driver.Item, 0, len(items))
	for key, value := range items {
		h.written.note(h.prefix + key)
		full[h.prefix+key] = []byte(value)
		list = append(list, driver.Item{Key: h.prefix + key, Value: []byte(value)})
	}
	if h.bare != nil {
		return h.bare.SetMany(ctx, list, ttl)
	}
	return h.cache.SetMany(ctx, full, cache.Timeout(ttl))
}

// DeleteMany returns the keys that were present. In the mode bare no key may repeat.
func (h *handle) DeleteMany(ctx context.Context, keys ...string) (deleted []string, err error) {
	if h.bare == nil {
		deleted, err = h.cache.DeleteMany(ctx, h.full(keys)...)
		for i := range deleted {
			deleted[i] = deleted[i][len(h.prefix):]
		}
		return deleted, err
	}
	present, err := h.bare.DeleteMany(ctx, h.full(keys))
	for i, was := range present {
		if was {
			deleted = append(deleted, keys[i])
		}
	}
	return deleted, err
}

func (h *handle) Clear(ctx context.Context) error {
	if h.bare != nil {
		return h.bare.Clear(ctx)
	}
	return h.cache.Clear(ctx)
}

// ClearPrefix removes the keys that begin with prefix.
func (h *handle) ClearPrefix(ctx context.Context, prefix string) error {
	if h.bare != nil {
		return h.bare.ClearPrefix(ctx, h.prefix+prefix)
	}
	return cache.New(h.cache.Backend(), cache.WithPrefix(h.written.prefix+h.prefix+prefix)).Clear(ctx)
}

func (h *handle) Ping(ctx context.Context) error {
	if h.bare != nil {
		return h.bare.Ping(ctx)
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

// withoutFallbacks is a backend without the optional methods that have a fallback.
type withoutFallbacks struct {
	driver.Backend
	driver.Counter
	driver.Leaser
	driver.Swapper
	driver.PrefixClearer
	driver.TTLer
	driver.LifeGetter
	driver.Watcher
	driver.Stater
	driver.Scanner
	driver.Namer
}

func hideFallbacks(b driver.Backend) driver.Backend {
	ops := driver.Resolve(b)
	return withoutFallbacks{b, ops, ops, ops, ops, ops, ops, ops, ops, ops, ops}
}
