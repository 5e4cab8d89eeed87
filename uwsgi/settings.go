package uwsgi

import (
	"context"
	"strings"

	cache "github.com/cachebackends/cachebackends/core"
)

func init() { cache.Register("uwsgi", open) }

const keyName = "CACHE_UWSGI_NAME"

func open(ctx context.Context, s *cache.Settings) (cache.Backend, error) {
	name, addr, complete := strings.Cut(s.String(keyName, ""), "@")
	switch {
	case !s.Has(keyName):
		s.Fail(keyName, "missing: mycache@host:port or mycache@/path/to.sock")
	case !complete || addr == "":
		s.Fail(keyName, "%q does not say where the server is: mycache@host:port or mycache@/path/to.sock", name)
	}
	options := s.Options()
	o := Options{
		Addr:         addr,
		Cache:        name,
		AllowFlush:   s.Bool("CACHE_ALLOW_FLUSH", false),
		FirstCache:   options.Bool("first_cache", false),
		MaxKey:       options.Int("max_key", 0),
		MaxValue:     options.Int("max_value", 0),
		BufferSize:   options.Int("buffer_size", 0),
		PoolSize:     options.Int("pool_size", 0),
		DialTimeout:  options.Duration("dial_timeout", 0),
		ReadTimeout:  options.Duration("read_timeout", 0),
		WriteTimeout: options.Duration("write_timeout", 0),
	}
	if err := s.Err(); err != nil {
		return nil, err
	}
	return New(ctx, o)
}
