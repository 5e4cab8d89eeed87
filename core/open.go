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

// Open opens the cache that cfg describes. Options take precedence over settings. A
// value of CACHE_TYPE is registered by importing the package of its backend. Open
// reports all mistakes in the settings at once, by name, in an error wrapping
// [ErrInvalidSettings]; nothing is open then. One warning in the log names the
// settings that the backend does not read, and another the settings and defaults of
// Flask-Caching that have no effect, with the remedies.
//
// With CACHE_FLASK, the keys, values and placement are those of Flask-Caching, and every
// value has the codec of package flask, which the program imports: see [UniversalCodec].
func Open(ctx context.Context, cfg Config, options ...Option) (*Cache, error) {
	if err := cfg.Err(); err != nil {
		return nil, fmt.Errorf("cache: %w: %w", ErrInvalidSettings, err)
	}
	s := driver.NewSettings(cfg.given())
	flask := flaskOption(s)
	backend, err := driver.Open(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	if err := s.Check(nil); err != nil { // in case the backend did not call it
		return nil, fmt.Errorf("cache: %w", errors.Join(err, backend.Close()))
	}
	if unread := s.Unread(); len(unread) > 0 {
		slog.WarnContext(ctx, "cache: the backend does not read some settings", "CACHE_TYPE", s.Type(), "settings", strings.Join(unread, ", "))
	}
	if hints := s.FlaskHints(); len(hints) > 0 {
		slog.WarnContext(ctx, "cache: settings of Flask-Caching have no effect", "CACHE_TYPE", s.Type(), "settings", strings.Join(hints, "; "))
	}
	common := s.Common()
	ours := []Option{WithPrefix(s.KeyPrefix()), WithDefaultTimeout(common.DefaultTimeout)}
	if common.IgnoreErrors {
		ours = append(ours, WithIgnoreErrors())
	}
	if flask != nil {
		ours = append(ours, flask)
	}
	c := New(backend, slices.Concat(ours, options)...)
	if flask != nil {
		if err := c.checkFlask(); err != nil {
			return nil, fmt.Errorf("cache: %w", errors.Join(err, c.Close()))
		}
	}
	return c, nil
}
