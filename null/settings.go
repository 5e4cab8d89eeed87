package null

import (
	"context"
	"log/slog"

	"github.com/cachebackends/cachebackends/core/driver"
)

// settings are what CACHE_* can say about a Backend.
type settings struct {
	NoWarning bool `setting:"CACHE_NO_NULL_WARNING" default:"false" help:"omits the warning that nothing is cached"`
	Flask     bool `setting:"CACHE_FLASK" help:"keys, values and placement as Flask-Caching stores them"` // nothing is stored
}

func init() {
	driver.Register(driver.Info{
		Types:    []string{"null"},
		Aliases:  map[string]string{"NullCache": "null"},
		Settings: settings{},
		Open:     open,
	})
}

func open(ctx context.Context, s *driver.Settings) (driver.Backend, error) {
	var given settings
	s.Bind(&given)
	if err := s.Check(nil); err != nil {
		return nil, err
	}
	if !given.NoWarning {
		slog.WarnContext(ctx, "cache: CACHE_TYPE is null or not set: nothing is cached (CACHE_NO_NULL_WARNING=true omits this warning)")
	}
	return New(), nil
}
