package simple

import (
	"context"

	cache "github.com/cachebackends/cachebackends/core"
)

func init() { cache.Register("simple", open) }

// open reads CACHE_THRESHOLD, where 0 means no limit.
func open(ctx context.Context, s *cache.Settings) (cache.Backend, error) {
	threshold := s.Int("CACHE_THRESHOLD", DefaultThreshold)
	switch {
	case threshold < 0:
		s.Fail("CACHE_THRESHOLD", "%d is negative (0 means no limit)", threshold)
	case threshold == 0:
		threshold = NoLimit
	}
	if err := s.Err(); err != nil {
		return nil, err
	}
	return New(ctx, Options{Threshold: threshold})
}
