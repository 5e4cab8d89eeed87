package redis

import (
	"context"
	"errors"
	"net"
	"sync"

	goredis "github.com/redis/go-redis/v9"
)

// findPrimaries finds the servers that accept writes now. It returns, by address, the
// options of a client of each server.
type findPrimaries func(ctx context.Context) (map[string]goredis.Options, error)

// primaries returns a function that finds the primaries until stop is called.
func (b *Backend) primaries() (find findPrimaries, stop func()) {
	switch {
	case b.cluster != nil:
		return b.clusterPrimaries, func() {}
	case len(b.options.Sentinels) > 0:
		return b.sentinelPrimary()
	}
	// One server, or sentinels that only the client of the application knows.
	options := b.one.Options()
	return func(context.Context) (map[string]goredis.Options, error) {
		return map[string]goredis.Options{options.Addr: *options}, nil
	}, func() {}
}

// clusterPrimaries asks a node of the cluster, because ForEachMaster does so.
func (b *Backend) clusterPrimaries(ctx context.Context) (map[string]goredis.Options, error) {
	var mu sync.Mutex
	servers := make(map[string]goredis.Options)
	err := b.cluster.ForEachMaster(ctx, func(_ context.Context, primary *goredis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		servers[primary.Options().Addr] = *primary.Options()
		return nil
	})
	return servers, err
}

// sentinelPrimary asks every sentinel that it reaches. The sentinels need not agree after
// a failover, and one that cannot reach the others names the old primary.
func (b *Backend) sentinelPrimary() (find findPrimaries, stop func()) {
	o := b.options
	var sentinels []*goredis.SentinelClient
	for _, addr := range o.Sentinels {
		sentinels = append(sentinels, goredis.NewSentinelClient(&goredis.Options{
			Addr: addr, Dialer: o.dialer(), Username: o.SentinelUsername, Password: o.SentinelPassword.Reveal(),
			DialTimeout: o.DialTimeout, ReadTimeout: longTime, WriteTimeout: longTime, ContextTimeoutEnabled: true,
			DialerRetries: 1, MaxRetries: -1, PoolSize: 1, DisableIdentity: true,
		}))
	}
	find = func(ctx context.Context) (map[string]goredis.Options, error) {
		servers := make(map[string]goredis.Options)
		var errs []error
		for _, sentinel := range sentinels {
			addr, err := sentinel.GetMasterAddrByName(ctx, o.SentinelMaster).Result()
			if err == nil && len(addr) != 2 {
				err = errMalformed
			}
			if err != nil {
				errs = append(errs, err)
				continue
			}
			options := *b.one.Options()
			options.Addr, options.Dialer = net.JoinHostPort(addr[0], addr[1]), o.dialer()
			servers[options.Addr] = options
		}
		if len(servers) == 0 {
			return nil, errors.Join(errs...)
		}
		return servers, nil
	}
	return find, func() {
		for _, sentinel := range sentinels {
			sentinel.Close()
		}
	}
}
