//go:build !gcs

package main

import (
	"context"

	cache "github.com/cachebackends/cachebackends/core"
)

// Google's client is some 200 modules, which whoever builds this program for
// another backend need not fetch.
func init() {
	cache.Register("gcs", func(_ context.Context, s *cache.Settings) (cache.Backend, error) {
		s.Fail("CACHE_TYPE", "gcs is not in this cachectl: build it with go install -tags gcs")
		return nil, s.Err()
	})
}
