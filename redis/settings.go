package redis

import (
	"context"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
	"github.com/cachebackends/cachebackends/core/driver/remote/cachetls"
	goredis "github.com/redis/go-redis/v9"
)

const (
	typeOne      = "redis"
	typeCluster  = "rediscluster"
	typeSentinel = "redissentinel"

	keyHost      = "CACHE_REDIS_HOST"
	keyPort      = "CACHE_REDIS_PORT"
	keyURL       = "CACHE_REDIS_URL"
	keyCluster   = "CACHE_REDIS_CLUSTER"
	keySentinels = "CACHE_REDIS_SENTINELS"
	prefixTLS    = "CACHE_REDIS_TLS_"
)

func init() {
	driver.Register(driver.Info{
		Types: []string{typeOne, typeCluster, typeSentinel},
		Aliases: map[string]string{
			"rediscache": typeOne, "redisclustercache": typeCluster, "redissentinelcache": typeSentinel,
		},
		Settings:    settings{},
		FlaskPrefix: "flask_cache_",
		Open:        open,
	})
}

// settings are the Options and what only settings can say.
type settings struct {
	Client       goredis.UniversalClient `setting:"CACHE_REDIS_HOST"`
	Hosts        []string                `setting:"CACHE_REDIS_HOST"`
	Port         int                     `setting:"CACHE_REDIS_PORT" default:"6379" min:"1" max:"65535" help:"port of the hosts and nodes that are listed without one"`
	AutoPipeline bool                    `option:"auto_pipeline" default:"true" help:"concurrent calls to one server share round trips; in Go, NoAutoPipeline turns it off"`
	Options
	TLSFiles cachetls.Files `prefix:"CACHE_REDIS_TLS_"`
}

func open(ctx context.Context, s *driver.Settings) (driver.Backend, error) {
	var given settings
	s.Bind(&given)
	o := given.Options
	o.NoAutoPipeline = !given.AutoPipeline
	o.TLS = given.TLSFiles.Config(s, prefixTLS)
	if given.Client != nil {
		if s.Has(keyPort) {
			s.Fail(keyPort, "has no effect with a client in %s", keyHost)
		}
		if err := s.Check(nil); err != nil {
			return nil, err
		}
		return NewFromClient(given.Client, o)
	}
	switch {
	case !o.URL.IsZero():
		findServerOfURL(s, &o)
	case !s.Failed(keyURL) && !s.Failed(keyHost): // or a server would be missing
		given.findServers(s, &o)
	}
	if err := s.Check(&o); err != nil {
		return nil, err
	}
	return New(ctx, o)
}

// findServers sets where the servers are: one server, a cluster or sentinels.
func (given settings) findServers(s *driver.Settings, o *Options) {
	hosts := remote.WithPort(given.Hosts, given.Port)
	o.Cluster = remote.WithPort(o.Cluster, given.Port)
	for _, key := range []string{keyCluster, keySentinels} {
		if len(hosts) > 0 && s.Has(key) {
			s.Fail(keyHost, "cannot be combined with %s", s.Label(key))
			hosts = nil
		}
	}
	switch {
	case s.Type() == typeSentinel && len(o.Sentinels) == 0:
		s.Fail(keySentinels, "missing: a list of sentinels, host:port")
	case s.Type() == typeCluster && len(o.Cluster) == 0 && len(hosts) == 0:
		s.Fail(keyCluster, "missing: a list of nodes, host:port")
	case len(hosts) > 1, len(hosts) == 1 && s.Type() == typeCluster:
		o.Cluster = hosts
	case len(hosts) == 1:
		o.Addr = hosts[0]
	case s.Has(keyPort) && len(o.Cluster) == 0 && len(o.Sentinels) == 0:
		o.Addr = remote.WithPort([]string{defaultHost}, given.Port)[0]
	}
}

// findServerOfURL replaces the URL of a cluster by the node that it names.
func findServerOfURL(s *driver.Settings, o *Options) {
	for _, key := range []string{keyHost, keyPort, "CACHE_REDIS_USERNAME", "CACHE_REDIS_PASSWORD", "CACHE_REDIS_DB", keyCluster, keySentinels} {
		if s.Has(key) {
			s.Fail(keyURL, "cannot be combined with %s", s.Label(key))
		}
	}
	if s.Type() != typeCluster {
		return
	}
	node, err := parseURL(o.URL.Reveal())
	if err != nil {
		return // Check reports it
	}
	o.URL, o.Cluster = driver.Secret{}, []string{node.addr}
	node.configure(o)
}
