package loadertest

import (
	"errors"
	"testing"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/cachetest"
)

func inMemory(change func(*cachetest.Store)) func(t *testing.T) (one, other *cache.Cache) {
	return func(*testing.T) (one, other *cache.Cache) {
		s := cachetest.NewStore()
		change(s)
		return cache.New(s, cache.WithPrefix("p:")), cache.New(s, cache.WithPrefix("p:"))
	}
}

// lacking makes s a store without leases and compare-and-swap.
func lacking(s *cachetest.Store) {
	s.Fail("lease", "", errors.ErrUnsupported)
	s.Fail("compare_and_swap", "", errors.ErrUnsupported)
}

func TestRules(t *testing.T) {
	for name, h := range map[string]Harness{
		"encoded":                             {New: inMemory(func(*cachetest.Store) {})},
		"kept":                                {New: inMemory(func(*cachetest.Store) {}), Options: []cache.ViewOption{cache.WithoutEncoding()}},
		"without leases and compare-and-swap": {New: inMemory(lacking)},
		"kept without leases":                 {New: inMemory(lacking), Options: []cache.ViewOption{cache.WithoutEncoding()}},
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
	Run(t, Harness{New: inMemory(func(*cachetest.Store) {})})
}
