package uwsgi

import (
	"context"
	"strings"

	"github.com/cachebackends/cachebackends/core/driver"
)

func init() {
	driver.Register(driver.Info{
		Types:    []string{"uwsgi"},
		Aliases:  map[string]string{"UWSGICache": "uwsgi"},
		Settings: settings{},
		Open:     open,
	})
}

// settings has the address and the cache in one text.
type settings struct {
	Options
	Name string `setting:"CACHE_UWSGI_NAME" required:"true" help:"mycache@host:port or mycache@/path/to.sock"`
}

func open(ctx context.Context, s *driver.Settings) (driver.Backend, error) {
	var given settings
	s.Bind(&given)
	o := given.Options
	var found bool
	o.Cache, o.Addr, found = strings.Cut(given.Name, "@")
	switch {
	case !s.Has("CACHE_UWSGI_NAME"):
		s.Fail("CACHE_UWSGI_NAME", "missing: mycache@host:port or mycache@/path/to.sock")
	case !found || o.Addr == "":
		s.Fail("CACHE_UWSGI_NAME", "%q has no address: add that of the server's uwsgi socket, as in %[1]s@127.0.0.1:3031 or %[1]s@/path/to.sock", o.Cache)
	}
	if err := s.Check(&o); err != nil {
		return nil, err
	}
	return New(ctx, o)
}
