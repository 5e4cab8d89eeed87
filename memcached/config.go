package memcached

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/bradfitz/gomemcache/memcache"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/cachetls"
)

func init() {
	for _, name := range []string{typePlain, typeSASL, typeSpread} {
		cache.Register(name, func(ctx context.Context, s *cache.Settings) (cache.Backend, error) { return open(ctx, s, name) })
	}
}

const (
	typePlain  = "memcached"
	typeSASL   = "saslmemcached"
	typeSpread = "spreadsaslmemcached"

	keyServers  = "CACHE_MEMCACHED_SERVERS"
	keyUsername = "CACHE_MEMCACHED_USERNAME"
	keyPassword = "CACHE_MEMCACHED_PASSWORD"

	defaultPort = "11211"
)

func open(ctx context.Context, s *cache.Settings, name string) (cache.Backend, error) {
	o := options(s, name)
	client, ready := s.Value(keyServers).(*memcache.Client)
	if !ready {
		o.Servers = withPort(s.Strings(keyServers))
	}
	if name == typeSASL && o.Username == "" {
		s.Fail(keyUsername, "missing")
	}
	if err := s.Err(); err != nil {
		return nil, err
	}
	if ready {
		b, err := NewFromClient(client, o)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", keyServers, err)
		}
		return b, nil
	}
	return New(ctx, o)
}

// options reads all but the servers.
func options(s *cache.Settings, name string) Options {
	further := s.Options()
	o := Options{
		Username:     s.String(keyUsername, ""),
		Password:     s.String(keyPassword, ""),
		TLS:          cachetls.Config(s, "CACHE_MEMCACHED_TLS"),
		AllowFlush:   s.Bool("CACHE_ALLOW_FLUSH", false),
		Distribution: choice(further, "distribution", GoMemcache, distributions),
		Spread:       further.Bool("spread", name == typeSpread),
		ChunkSize:    further.Int("chunk_size", 0),
		MaxChunks:    further.Int("max_chunks", 0),
		MaxItemSize:  further.Int("max_item_size", 0),
		PoolSize:     further.Int("pool_size", 0),
		DialTimeout:  further.Duration("dial_timeout", 0),
		ReadTimeout:  further.Duration("read_timeout", 0),
		WriteTimeout: further.Duration("write_timeout", 0),
	}
	protocol := Text
	if name != typePlain && o.Username != "" {
		protocol = Binary
	}
	o.Protocol = choice(further, "protocol", protocol, protocols)
	return o
}

var (
	protocols     = map[string]Protocol{"text": Text, "binary": Binary}
	distributions = map[string]Distribution{
		"gomemcache": GoMemcache, "python_memcached": PythonMemcached, "ketama": Ketama, "ketama_weighted": KetamaWeighted,
	}
)

// choice reads one of several names.
func choice[T any](s *cache.Settings, key string, def T, names map[string]T) T {
	if !s.Has(key) {
		return def
	}
	chosen, ok := names[s.String(key, "")]
	if !ok {
		s.Fail(key, "%q is none of %q", s.String(key, ""), slices.Sorted(maps.Keys(names)))
	}
	return chosen
}

// withPort adds the port of memcached to the hosts that come without one.
func withPort(servers []string) []string {
	full := make([]string, len(servers))
	for i, server := range servers {
		if _, _, err := net.SplitHostPort(server); err != nil && !isPath(server) && !isURL(server) {
			server = net.JoinHostPort(strings.Trim(server, "[]"), defaultPort)
		}
		full[i] = server
	}
	return full
}
