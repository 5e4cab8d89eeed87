package loader

import (
	"context"
	"slices"
	"sync"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// Life sets how long the loaded value is fresh, or how long [ErrMissing] is remembered,
// in place of [Policy.Fresh] and [Policy.Missing]. If d ≤ 0, the value is not stored.
// Jitter does not apply. ctx is the context of a load or derived from it; with another
// context, Life, [NoStore], [Tag] and [For] do nothing.
func Life(ctx context.Context, d time.Duration) {
	if d <= 0 {
		NoStore(ctx)
		return
	}
	change(ctx, func(w *wishes) { w.life = d })
}

// NoStore makes the load return its value to the callers that wait for it without storing
// it. An older entry of the key is kept.
func NoStore(ctx context.Context) {
	change(ctx, func(w *wishes) { w.noStore = true })
}

// Tag marks the entry with tags, so that [Invalidate] of one of them removes it. It
// reads the versions of the tags from the store: call it before the load reads its
// data. An invalidation after that call has effect even if the value is stored later. If
// the versions cannot be read, the value is not stored.
func Tag(ctx context.Context, tags ...string) {
	s, ok := ctx.Value(scopeKey{}).(scope)
	if !ok || len(tags) == 0 {
		return
	}
	current, err := currentTags(ctx, s.in.cache, tags)
	change(ctx, func(w *wishes) {
		w.tags = append(w.tags, current...)
		w.noStore = w.noStore || err != nil
	})
}

// For returns a context with which [Life], [NoStore] and [Tag] apply to one key of a load
// of many. With the context of the load itself they apply to all of its keys.
func For(ctx context.Context, key string) context.Context {
	s, ok := ctx.Value(scopeKey{}).(scope)
	if !ok {
		return ctx
	}
	return context.WithValue(ctx, scopeKey{}, scope{s.in, key, true})
}

// inside collects the wishes of one call of load.
type inside struct {
	cache *cache.Cache
	mu    sync.Mutex
	all   wishes
	keys  map[string]*wishes
}

// wishes are set by a load for all its keys or for one of them.
type wishes struct {
	life    time.Duration // 0 if it is that of the policy
	noStore bool
	tags    []tag
}

type scopeKey struct{}

type scope struct {
	in  *inside
	key string
	one bool // only for key
}

func change(ctx context.Context, set func(*wishes)) {
	s, ok := ctx.Value(scopeKey{}).(scope)
	if !ok {
		return
	}
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	if !s.one {
		set(&s.in.all)
		return
	}
	if s.in.keys == nil {
		s.in.keys = make(map[string]*wishes)
	}
	if s.in.keys[s.key] == nil {
		s.in.keys[s.key] = new(wishes)
	}
	set(s.in.keys[s.key])
}

// of returns the wishes for key.
func (in *inside) of(key string) wishes {
	in.mu.Lock()
	defer in.mu.Unlock()
	w := in.all
	w.tags = slices.Clone(w.tags)
	if own := in.keys[key]; own != nil {
		if own.life != 0 {
			w.life = own.life
		}
		w.noStore = w.noStore || own.noStore
		w.tags = append(w.tags, own.tags...)
	}
	return w
}
