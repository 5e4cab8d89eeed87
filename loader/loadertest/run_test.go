package loadertest

import (
	"testing"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/loader/internal/memory"
)

func inMemory(change func(*memory.Store)) func(t *testing.T) (one, other *cache.Cache) {
	return func(*testing.T) (one, other *cache.Cache) {
		s := memory.New()
		change(s)
		return cache.New(s, cache.WithPrefix("p:")), cache.New(s, cache.WithPrefix("p:"))
	}
}

func TestRules(t *testing.T) {
	for name, h := range map[string]Harness{
		"encoded": {New: inMemory(func(*memory.Store) {})},
		"kept":    {New: inMemory(func(*memory.Store) {}), Options: []cache.ViewOption{cache.WithoutEncoding()}},
		"without leases and compare-and-swap": {New: inMemory(func(s *memory.Store) {
			s.Traits.NoLease, s.Traits.NoSwap = true, true
		})},
		"kept without leases": {New: inMemory(func(s *memory.Store) {
			s.Traits.NoLease, s.Traits.NoSwap = true, true
		}), Options: []cache.ViewOption{cache.WithoutEncoding()}},
	} {
		t.Run(name, func(t *testing.T) {
			h.Bubble = true
			Run(t, h)
		})
	}
}

// The rules also pass in real time, as over a server.
func TestRulesInRealTime(t *testing.T) {
	if testing.Short() {
		t.Skip("waits in real time")
	}
	Run(t, Harness{New: inMemory(func(*memory.Store) {})})
}
