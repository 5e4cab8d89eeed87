package guard

import (
	"context"
	"errors"

	"github.com/cachebackends/cachebackends/core/driver"
)

// settings are what CACHE_OPTIONS can say about a Backend.
type settings struct {
	Inner driver.Nested `option:"inner" required:"true" help:"settings of the guarded backend: a map, or a JSON object as text"`
	Options
}

func init() {
	driver.Register(driver.Info{Types: []string{"guard"}, Settings: settings{}, Open: open})
}

func open(ctx context.Context, s *driver.Settings) (driver.Backend, error) {
	var given settings
	s.Bind(&given)
	inner, err := s.OpenNested(ctx, &given.Options, "inner")
	if err != nil {
		return nil, err
	}
	b, err := New(inner[0], given.Options)
	if err != nil {
		return nil, errors.Join(err, inner[0].Close())
	}
	return b, nil
}
