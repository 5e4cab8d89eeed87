package cachetest

import (
	"testing"

	cache "github.com/cachebackends/cachebackends/core"
)

// New returns a cache over a new store. The cache is closed at the end of the test.
func New(t testing.TB, options ...cache.Option) (*cache.Cache, *Store) {
	t.Helper()
	s := NewStore()
	c := cache.New(s, options...)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("closing the cache: %v", err)
		}
	})
	return c, s
}
