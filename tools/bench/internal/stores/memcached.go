package stores

import (
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	"github.com/cachebackends/cachebackends/memcached"

	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

// Memcached are the clients of a memcached server.
var Memcached = Kind{Missing: memcachedServer.missing, Start: memcachedServer.start, peers: []peer{
	{"memcached", "nothing", true, func(addr string) (store, error) {
		return through(memcached.New(ctx, memcached.Options{Servers: []string{addr}}))
	}},
	{"gomemcache", "contexts; calls that share a connection: an idle one for each caller; batches of writes: a loop", false, openGomemcache},
}}

func openGomemcache(addr string) (store, error) {
	client := memcache.New(addr)
	client.MaxIdleConns = 256        // enough for the most callers of a case
	client.Timeout = 5 * time.Second // a busy machine is no reason to fail
	s := singles(
		func(key string) ([]byte, error) {
			item, err := client.Get(key)
			if err != nil {
				return nil, err
			}
			return item.Value, nil
		},
		func(key string, value []byte) error {
			return client.Set(&memcache.Item{Key: key, Value: value, Expiration: int32(workload.Life.Seconds())})
		},
		client.Delete,
		func() { client.Close() },
	)
	s.getMany = func(keys []string) (int, error) {
		items, err := client.GetMulti(keys)
		return len(items), err
	}
	return s, nil
}
