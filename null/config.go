package null

import (
	"context"
	"log/slog"

	cache "github.com/cachebackends/cachebackends/core"
)

func init() { cache.Register("null", open) }

func open(ctx context.Context, s *cache.Settings) (cache.Backend, error) {
	silent := s.Bool("CACHE_NO_NULL_WARNING", false)
	if err := s.Err(); err != nil {
		return nil, err
	}
	if !silent {
		slog.WarnContext(ctx, "cache: CACHE_TYPE is null or not set: nothing is cached (CACHE_NO_NULL_WARNING=true silences this)")
	}
	return New(ctx, Options{})
}
