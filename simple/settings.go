package simple

import (
	"cmp"
	"context"

	"github.com/cachebackends/cachebackends/core/driver"
)

// settings are what CACHE_* can say about a Backend.
type settings struct {
	// Threshold is 0 for no limit, as in Flask-Caching.
	Threshold int         `setting:"CACHE_THRESHOLD" default:"500" min:"0" help:"maximum number of entries; 0 is no limit (in Go: NoLimit), which is the default with CACHE_MAX_BYTES"`
	MaxBytes  driver.Size `setting:"CACHE_MAX_BYTES" min:"0" help:"maximum memory of the entries: bytes, a size such as \"256MiB\", or a part of the memory limit of the process such as \"10%\"; 0 is no bound"`
	Flask     bool        `setting:"CACHE_FLASK" help:"keys, values and placement as Flask-Caching stores them"` // for the codec; no other program sees the entries
	Options
}

func init() {
	driver.Register(driver.Info{
		Types:    []string{"simple"},
		Aliases:  map[string]string{"SimpleCache": "simple"},
		Settings: settings{},
		Open:     open,
	})
}

func open(ctx context.Context, s *driver.Settings) (driver.Backend, error) {
	var given settings
	s.Bind(&given)
	o := Options{Threshold: cmp.Or(given.Threshold, NoLimit), MaxBytes: int64(given.MaxBytes)}
	if o.MaxBytes > 0 && !s.Has("CACHE_THRESHOLD") {
		o.Threshold = NoLimit
	}
	if err := s.Check(&o); err != nil {
		return nil, err
	}
	return New(ctx, o)
}
