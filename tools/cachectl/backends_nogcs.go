//go:build !gcs

package main

import (
	"context"

	cache "github.com/cachebackends/cachebackends/core"
)

// Google's client requires about 200 modules. A build for the other backends does
// not download them.
func init() {
	cache.Register("gcs", func(_ context.Context, s *cache.Settings) (cache.Backend, error) {
		s.Fail("CACHE_TYPE", "this cachectl was built without gcs: go install -tags gcs")
		return nil, s.Err()
	})
}
