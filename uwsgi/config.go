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
	further := s.Options()
	o := Options{
		Addr:        addr,
		Cache:       name,
		FirstCache:  further.Bool("first_cache", false),
		MaxKey:      further.Int("max_key", 0),
		MaxValue:    further.Int("max_value", 0),
		BufferSize:  further.Int("buffer_size", 0),
		MaxConns:    further.Int("max_conns", 0),
		DialTimeout: further.Duration("dial_timeout", 0),
		ReadTimeout: further.Duration("read_timeout", 0),
	}
	if err := s.Err(); err != nil {
		return nil, err
	}
	return New(ctx, o)
}
