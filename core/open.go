package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Open makes the cache that cfg describes; options are applied after the settings.
// The backend that CACHE_TYPE names is registered by importing its package. All
// that is wrong with the settings is reported at once under [ErrInvalidSettings],
// named by setting, and nothing has been opened then. Settings that the backend
// does not read are logged, once, as a warning by name.
func Open(ctx context.Context, cfg Config, options ...Option) (*Cache, error) {
	if err := cfg.Err(); err != nil {
		return nil, fmt.Errorf("cache: %w: %w", ErrInvalidSettings, err)
	}
	s := driver.NewSettings(cfg.given())
	backend, err := driver.Open(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	if err := s.Check(nil); err != nil { // if the backend did not ask
		return nil, fmt.Errorf("cache: %w", errors.Join(err, backend.Close()))
	}
	if unread := s.Unread(); len(unread) > 0 {
		slog.WarnContext(ctx, "cache: the backend does not read some settings", "CACHE_TYPE", s.Type(), "settings", strings.Join(unread, ", "))
	}
	common := s.Common()
	ours := []Option{WithPrefix(common.KeyPrefix), WithDefaultTimeout(common.DefaultTimeout)}
	if common.IgnoreErrors {
		ours = append(ours, WithIgnoreErrors())
	}
	return New(backend, slices.Concat(ours, options)...), nil
}
