package tiered

import (
	"context"
	"errors"

	"github.com/cachebackends/cachebackends/core/driver"
)

// settings are what CACHE_* can say about a Backend.
type settings struct {
	Near driver.Nested `option:"near" help:"settings of the store in memory: a map of CACHE_* names, or a JSON object as text"`
	Far  driver.Nested `option:"far" help:"settings of the store behind it, in the same form"`
	Options
}

func init() {
	driver.Register(driver.Info{Types: []string{"tiered"}, Settings: settings{}, Open: open})
}

func open(ctx context.Context, s *driver.Settings) (driver.Backend, error) {
	var given settings
	s.Bind(&given)
	o := given.Options
	backends, err := s.OpenNested(ctx, &o, "near", "far")
	if err != nil {
		return nil, err
	}
	near, far := backends[0], backends[1]
	o.Prefix = s.KeyPrefix()
	if err := o.needsNearTTL(far); err != nil {
		s.Fail(nearTTL, "%w", err)
		return nil, errors.Join(s.Check(&o), near.Close(), far.Close())
	}
	b, err := New(near, far, o)
	if err != nil {
		return nil, errors.Join(err, near.Close(), far.Close())
	}
	return b, nil
}
