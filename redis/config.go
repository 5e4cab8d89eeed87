package redis

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/cachetls"
	goredis "github.com/redis/go-redis/v9"
)

func init() {
	for _, name := range []string{typeOne, typeCluster, typeSentinel} {
		cache.Register(name, func(ctx context.Context, s *cache.Settings) (cache.Backend, error) { return open(ctx, s, name) })
	}
}

const (
	typeOne      = "redis"
	typeCluster  = "rediscluster"
	typeSentinel = "redissentinel"

	keyHost      = "CACHE_REDIS_HOST"
	keyPort      = "CACHE_REDIS_PORT"
	keyUsername  = "CACHE_REDIS_USERNAME"
	keyPassword  = "CACHE_REDIS_PASSWORD"
	keyDB        = "CACHE_REDIS_DB"
	keyURL       = "CACHE_REDIS_URL"
	keyCluster   = "CACHE_REDIS_CLUSTER"
	keySentinels = "CACHE_REDIS_SENTINELS"
	keyMaster    = "CACHE_REDIS_SENTINEL_MASTER"
)

func open(ctx context.Context, s *cache.Settings, name string) (cache.Backend, error) {
	o := options(s)
	client, ready := s.Value(keyHost).(goredis.UniversalClient)
	if !ready {
		topology(s, name, &o)
	} else if s.Has(keyPort) {
		s.Fail(keyPort, "is of no use to a ready client in %s", keyHost)
	}
	if err := s.Err(); err != nil {
		return nil, err
	}
	if ready {
		b, err := NewFromClient(client, o)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", keyHost, err)
		}
		return b, nil
	}
	return New(ctx, o)
}

// options reads what does not depend on the topology.
func options(s *cache.Settings) Options {
	further := s.Options()
	return Options{
		URL:              s.String(keyURL, ""),
		Username:         s.String(keyUsername, ""),
		Password:         s.String(keyPassword, ""),
		DB:               s.Int(keyDB, 0),
		SentinelMaster:   s.String(keyMaster, ""),
		SentinelUsername: s.String("CACHE_REDIS_SENTINEL_USERNAME", ""),
		SentinelPassword: s.String("CACHE_REDIS_SENTINEL_PASSWORD", ""),
		TLS:              cachetls.Config(s, "CACHE_REDIS_TLS"),
		AllowFlush:       s.Bool("CACHE_ALLOW_FLUSH", false),
		PoolSize:         further.Int("pool_size", 0),
		MinIdleConns:     further.Int("min_idle_conns", 0),
		DialTimeout:      further.Duration("dial_timeout", 0),
		ReadTimeout:      further.Duration("read_timeout", 0),
		WriteTimeout:     further.Duration("write_timeout", 0),
		ReadFromReplicas: further.Bool("read_from_replicas", false),
		NoAutoPipeline:   !further.Bool("auto_pipeline", true),
		ClientSideCache:  further.Int("client_side_cache", 0),
	}
}

// topology reads where the servers are: one, a cluster or sentinels.
func topology(s *cache.Settings, name string, o *Options) {
	port := s.Int(keyPort, 6379)
	hosts := withPort(s.Strings(keyHost), port)
	o.Cluster = withPort(s.Strings(keyCluster), port)
	o.Sentinels = s.Strings(keySentinels)
	for _, key := range []string{keyHost, keyPort, keyUsername, keyPassword, keyDB, keyCluster, keySentinels} {
		if o.URL != "" && s.Has(key) {
			s.Fail(keyURL, "takes the place of %s: give either", key)
		}
	}
	switch {
	case len(o.Cluster) > 0 && len(o.Sentinels) > 0:
		s.Fail(keySentinels, "and %s exclude each other", keyCluster)
	case len(hosts) > 0 && (len(o.Cluster) > 0 || len(o.Sentinels) > 0):
		s.Fail(keyHost, "names servers that %s or %s name already", keyCluster, keySentinels)
	case name == typeSentinel && len(o.Sentinels) == 0:
		s.Fail(keySentinels, "missing: a list of sentinels, host:port")
	case name == typeCluster && o.URL != "":
		clusterOf(s, o)
	case name == typeCluster && len(o.Cluster) == 0 && len(hosts) == 0:
		s.Fail(keyCluster, "missing: a list of nodes, host:port")
	case name == typeCluster && len(hosts) > 0, len(hosts) > 1:
		o.Cluster = hosts
	case len(hosts) == 1:
		o.Addr = hosts[0]
	case s.Has(keyPort):
		o.Addr = withPort([]string{"localhost"}, port)[0]
	}
}

// clusterOf finds the cluster through the server that the URL names.
func clusterOf(s *cache.Settings, o *Options) {
	one, err := Options{URL: o.URL, TLS: o.TLS}.resolved()
	if err != nil {
		s.Fail(keyURL, "%w", err)
		return
	}
	o.URL, o.Cluster = "", []string{one.Addr}
	o.Username, o.Password, o.DB, o.TLS = one.Username, one.Password, one.DB, one.TLS
}

// withPort adds port to the hosts that come without one.
func withPort(hosts []string, port int) []string {
	full := make([]string, len(hosts))
	for i, host := range hosts {
		if _, _, err := net.SplitHostPort(host); err != nil && !isPath(host) && !isURL(host) {
			host = net.JoinHostPort(strings.Trim(host, "[]"), strconv.Itoa(port))
		}
		full[i] = host
	}
	return full
}
