package conformance

import (
	"context"
	"iter"
	"strings"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Operations of handles that only the backend has, and those that Cache has for few
// backends. A key is given as to the other operations.

// direct returns the operations of the backend of h.
func (h *handle) direct() *driver.Operations {
	if h.bare != nil {
		return h.bare
	}
	return driver.Resolve(h.cache.Backend())
}

// stored returns the key that the backend receives for key.
func (h *handle) stored(key string) string { return h.written.prefix + h.prefix + key }

// GetAppend appends the value of key to dst.
func (h *handle) GetAppend(ctx context.Context, key string, dst []byte) ([]byte, bool, error) {
	if h.bare != nil {
		return h.bare.GetAppend(ctx, h.prefix+key, dst)
	}
	return h.cache.GetAppend(ctx, h.prefix+key, dst)
}

// GetWithTTL returns the value of key with its remaining TTL.
func (h *handle) GetWithTTL(ctx context.Context, key string) ([]byte, time.Duration, bool, error) {
	return h.direct().GetWithTTL(ctx, h.stored(key))
}

// GetManyWithTTL returns one value per key, nil for a miss, with the remaining TTLs.
func (h *handle) GetManyWithTTL(ctx context.Context, keys ...string) ([][]byte, []time.Duration, error) {
	stored := make([]string, len(keys))
	for i, key := range keys {
		stored[i] = h.stored(key)
	}
	return h.direct().GetManyWithTTL(ctx, stored)
}

// Stats calls Stats for its error.
func (h *handle) Stats(ctx context.Context) error {
	if h.bare != nil {
		_, err := h.bare.Stats(ctx)
		return err
	}
	_, err := h.cache.Stats(ctx)
	return err
}

// Scan lists the entries whose key begins with prefix.
func (h *handle) Scan(ctx context.Context, prefix string) iter.Seq2[driver.Entry, error] {
	scan := h.cache.Scan
	if h.bare != nil {
		scan = h.bare.Scan
	}
	return func(yield func(driver.Entry, error) bool) {
		for entry, err := range scan(ctx, h.prefix+prefix) {
			entry.Key = strings.TrimPrefix(entry.Key, h.prefix)
			if !yield(entry, err) {
				return
			}
		}
	}
}

// watchUntilReady watches prefix until Ready is called. It returns the error that ended
// the call before.
func watchUntilReady(ctx context.Context, b driver.Watcher, prefix string) error {
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	ready := false
	err := b.Watch(watching, prefix, watchGrace, driver.Notices{
		Ready:   func() { ready = true; cancel() },
		Changed: func(string) {},
	})
	if ready && ctx.Err() == nil {
		return nil
	}
	return err
}
