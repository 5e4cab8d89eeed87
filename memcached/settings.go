package memcached

import (
	"context"

	"github.com/bradfitz/gomemcache/memcache"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
	"github.com/cachebackends/cachebackends/core/driver/remote/cachetls"
	"github.com/cachebackends/cachebackends/memcached/internal/wire"
)

const (
	typePlain  = "memcached"
	typeSASL   = "saslmemcached"
	typeSpread = "spreadsaslmemcached"

	keyDistribution = "CACHE_OPTIONS.distribution"
	prefixTLS       = "CACHE_MEMCACHED_TLS_"
)

func init() {
	driver.Register(driver.Info{
		Types: []string{typePlain, typeSASL, typeSpread},
		Aliases: map[string]string{
			"memcachedcache": typePlain, "saslmemcachedcache": typeSASL, "spreadsaslmemcachedcache": typeSpread,
		},
		Settings:    settings{},
		FlaskPrefix: "flask_cache_",
		Open:        open,
	})
}

// settings are the Options and what only settings can say.
type settings struct {
	Options
	Client   *memcache.Client `setting:"CACHE_MEMCACHED_SERVERS"`
	TLSFiles cachetls.Files   `prefix:"CACHE_MEMCACHED_TLS_"`
}

func open(ctx context.Context, s *driver.Settings) (driver.Backend, error) {
	var given settings
	s.Bind(&given)
	o := given.Options
	if o.Servers != nil {
		o.Servers = remote.WithPort(o.Servers, wire.DefaultPort)
	}
	o.TLS = given.TLSFiles.Config(s, prefixTLS)
	if s.Type() != typePlain && o.Username != "" && !s.Has("CACHE_OPTIONS.protocol") {
		o.Protocol = Binary
	}
	if s.Type() == typeSpread && !s.Has("CACHE_OPTIONS.spread") {
		o.Spread = true
	}
	if s.Type() == typeSASL && o.Username == "" {
		s.Fail("CACHE_MEMCACHED_USERNAME", "missing: %s requires a login", typeSASL)
	}
	if o.Flask && s.Has(keyDistribution) && o.Distribution == GoMemcache {
		s.Fail(keyDistribution, "no client of Flask-Caching has the distribution gomemcache: use pylibmc or python_memcached")
	}
	if given.Client != nil {
		if err := s.Check(nil); err != nil {
			return nil, err
		}
		return NewFromClient(given.Client, o)
	}
	if err := s.Check(&o); err != nil {
		return nil, err
	}
	return New(ctx, o)
}
