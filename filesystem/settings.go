package filesystem

import (
	"cmp"
	"context"
	"fmt"

	"github.com/cachebackends/cachebackends/core/driver"
)

// settings are what CACHE_* can say about a Backend.
type settings struct {
	// Threshold is 0 for no limit, as in Flask-Caching.
	Threshold int `setting:"CACHE_THRESHOLD" default:"500" min:"0" help:"maximum number of entries; 0 is no limit (in Go: NoLimit)"`
	// Method is the name of the parameter of cachelib.
	Method string `option:"hash_method" help:"the same as CACHE_FILE_HASH_METHOD, which takes precedence"`
	Options
}

func init() {
	driver.Register(driver.Info{
		Types:    []string{"filesystem"},
		Aliases:  map[string]string{"FileSystemCache": "filesystem"},
		Settings: settings{},
		Open:     open,
	})
}

func open(ctx context.Context, s *driver.Settings) (driver.Backend, error) {
	var given settings
	s.Bind(&given)
	o := given.Options
	o.Threshold = cmp.Or(given.Threshold, NoLimit)
	if !s.Has("CACHE_FILE_HASH_METHOD") { // not the default of the setting, which depends on Flask
		o.HashMethod = given.Method
	}
	if err := s.Check(&o); err != nil {
		return nil, err
	}
	b, err := New(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Label("CACHE_DIR"), err)
	}
	return b, nil
}
