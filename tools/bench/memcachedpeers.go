package main

import (
	"context"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	"github.com/cachebackends/cachebackends/memcached"
	grafana "github.com/grafana/gomemcache/memcache"
)

// memcachedPeers returns gomemcache first, which most goals speak of.
func memcachedPeers() []remotePeer {
	return []remotePeer{
		{"gomemcache", "contexts; calls that share a connection: an idle one for each caller; batches of writes: a loop", 0, true, openGomemcache},
		{"memcached", "nothing: the bare backend as it comes", 0, true, openMemcached},
		{"memcached+Cache", "nothing: the same through the methods of Cache", 0, true, openMemcachedCache},
		{"grafana-gomemcache", "as gomemcache, but a context for GetMulti", 0, true, openGrafanaGomemcache},
		{"raw-memcached", "all but the bytes of one connection, for one caller; a batch is one pipeline", 1, true, openRawMemcached},
	}
}

const (
	idleConns        = 256             // enough for the most callers of a case
	memcachedTimeout = 5 * time.Second // of an answer: a busy machine is no reason to fail
)

func openGomemcache(addr string) (remoteStore, error) {
	client := memcache.New(addr)
	client.MaxIdleConns, client.Timeout = idleConns, memcachedTimeout
	return storeOfLoops(
		func(key string) ([]byte, error) {
			item, err := client.Get(key)
			if err != nil {
				return nil, err
			}
			return item.Value, nil
		},
		func(key string, value []byte) error {
			return client.Set(&memcache.Item{Key: key, Value: value, Expiration: int32(life.Seconds())})
		},
		client.Delete,
		func(keys []string) (int, error) {
			items, err := client.GetMulti(keys)
			return len(items), err
		},
		func() { client.Close() },
	), nil
}

func openGrafanaGomemcache(addr string) (remoteStore, error) {
	client := grafana.New(addr)
	client.MaxIdleConns, client.Timeout = idleConns, memcachedTimeout
	return storeOfLoops(
		func(key string) ([]byte, error) {
			item, err := client.Get(key)
			if err != nil {
				return nil, err
			}
			return item.Value, nil
		},
		func(key string, value []byte) error {
			return client.Set(&grafana.Item{Key: key, Value: value, Expiration: int32(life.Seconds())})
		},
		client.Delete,
		func(keys []string) (int, error) {
			items, err := client.GetMulti(context.Background(), keys)
			return len(items), err
		},
		client.Close,
	), nil
}

// storeOfLoops is a client that writes one key at a time.
func storeOfLoops(get func(key string) ([]byte, error), set func(key string, value []byte) error, remove func(key string) error,
	getMany func(keys []string) (int, error), close func()) remoteStore {
	return remoteStore{
		get: get, set: set, getMany: getMany, close: close,
		setMany: func(keys []string, value []byte) func() error {
			return func() error {
				for _, key := range keys {
					if err := set(key, value); err != nil {
						return err
					}
				}
				return nil
			}
		},
		deleteMany: func(keys []string) (found int, err error) {
			for _, key := range keys {
				if err := remove(key); err != nil {
					return found, err
				}
				found++
			}
			return found, nil
		},
	}
}

func openMemcached(addr string) (remoteStore, error) {
	return storeOf(memcached.New(context.Background(), memcached.Options{Servers: []string{addr}}))
}

func openMemcachedCache(addr string) (remoteStore, error) {
	return storeOfCache(memcached.New(context.Background(), memcached.Options{Servers: []string{addr}}))
}
