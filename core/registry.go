package cache

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Opener makes a backend from settings. It reads all it knows, returns s.Err()
// where that is not nil, and only then opens anything.
type Opener func(ctx context.Context, s *Settings) (Backend, error)

// Registry finds backends by name. Its zero value is empty and ready; packages of
// backends register with the one behind [Register] and [Open]. It is safe for
// concurrent use.
type Registry struct {
	mu      sync.RWMutex
	openers map[string]Opener
}

var registry Registry

// Register makes a backend available to [Open] under name, from an init function.
// Names are case-folded. It panics if the name is taken.
func Register(name string, open Opener) { registry.Register(name, open) }

// Open makes the cache that cfg describes. See [Registry.Open].
func Open(ctx context.Context, cfg Config, options ...Option) (*Cache, error) {
	return registry.Open(ctx, cfg, options...)
}

// Registered lists the names given to [Register], sorted.
func Registered() []string { return registry.Names() }

// Register makes a backend available under name; it panics if the name is taken.
func (r *Registry) Register(name string, open Opener) {
	r.mu.Lock()
	defer r.mu.Unlock()
	folded := canonical(name)
	if r.openers[folded] != nil {
		panic("cache: Register called twice for " + name)
	}
	if r.openers == nil {
		r.openers = make(map[string]Opener)
	}
	r.openers[folded] = open
}

// Names lists the registered names, sorted.
func (r *Registry) Names() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Sorted(maps.Keys(r.openers))
}

// Open makes the cache that cfg describes; options are applied after the
// settings. All errors of the settings are reported at once, each naming key and
// value, and nothing has been opened then.
func (r *Registry) Open(ctx context.Context, cfg Config, options ...Option) (*Cache, error) {
	if cfg.err != nil {
		return nil, fmt.Errorf("cache: %w: %w", ErrInvalidSettings, cfg.err)
	}
	s := newSettings(cfg.values, "")
	ours := []Option{
		WithPrefix(s.String("CACHE_KEY_PREFIX", "")),
		WithDefaultTimeout(s.Duration("CACHE_DEFAULT_TIMEOUT", DefaultTimeout)),
	}
	if s.Duration("CACHE_DEFAULT_TIMEOUT", 0) < 0 {
		s.Fail("CACHE_DEFAULT_TIMEOUT", "%q is negative (0 means never)", s.String("CACHE_DEFAULT_TIMEOUT", ""))
	}
	if s.Bool("CACHE_IGNORE_ERRORS", false) {
		ours = append(ours, WithIgnoreErrors())
	}
	open, err := r.lookup(s.String("CACHE_TYPE", "null"), s.Has("CACHE_TYPE"))
	if err != nil {
		s.Fail("CACHE_TYPE", "%w", err)
		return nil, fmt.Errorf("cache: %w", s.Err())
	}
	backend, err := open(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("cache: %w", errors.Join(err, backend.Close()))
	}
	return New(backend, slices.Concat(ours, options)...), nil
}

// lookup explains a missing backend: most often its import has been forgotten.
func (r *Registry) lookup(name string, given bool) (Opener, error) {
	folded := canonical(name)
	r.mu.RLock()
	open := r.openers[folded]
	r.mu.RUnlock()
	if open != nil {
		return open, nil
	}
	why := fmt.Sprintf("%q is not registered", name)
	if !given {
		why = `not set, and its default "null" is not registered`
	}
	registered := "none"
	if names := r.Names(); len(names) > 0 {
		registered = strings.Join(names, ", ")
	}
	hint := "; is the package that registers it imported?"
	if module := modules[folded]; module != "" {
		hint = fmt.Sprintf("; go get %s%s and import it as _", modulesRoot, module)
	} else if near := suggestion(folded, append(r.Names(), slices.Collect(maps.Keys(modules))...)); near != "" {
		hint = near
	}
	return nil, fmt.Errorf("%s (registered: %s)%s", why, registered, hint)
}
