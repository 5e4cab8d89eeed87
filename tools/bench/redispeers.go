package main

import (
	"context"
	"os"

	"github.com/cachebackends/cachebackends/redis"
	rediscache "github.com/go-redis/cache/v9"
	storage "github.com/gofiber/storage/redis/v3"
	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
)

// redisPeers returns raw go-redis first, which all goals speak of.
func redisPeers() []remotePeer {
	return []remotePeer{
		{"go-redis", "automatic pipelining: a plain pool, as it comes; the bare MGET and pipeline", 0, true, openGoRedis},
		{"redis", "nothing: the bare backend as it comes, with automatic pipelining", 0, true, openRedis},
		{"redis+Cache", "nothing: the same through Cache.Get and Cache.Set", 0, true, openRedisCache},
		{"redis-alone", "automatic pipelining: the bare backend with NoAutoPipeline; its batches are those of redis", 0, false, openRedisAlone},
		{"redis-alone+Cache", "automatic pipelining: the same through Cache.Get and Cache.Set", 0, false, openRedisAloneCache},
		{"rueidis", "nothing: with automatic pipelining, its cache in memory is off", 0, true, openRueidis},
		{"gofiber-storage", "automatic pipelining, batches, empty values", 0, false, openGofiberStorage},
		{"go-redis-cache", "automatic pipelining, batches, entries that never expire; its cache in memory is off", 0, false, openGoRedisCache},
	}
}

func openGoRedis(addr string) (remoteStore, error) {
	ctx := context.Background()
	client := goredis.NewClient(&goredis.Options{Addr: addr})
	return remoteStore{
		get: func(key string) ([]byte, error) { return client.Get(ctx, key).Bytes() },
		set: func(key string, value []byte) error { return client.Set(ctx, key, value, life).Err() },
		getMany: func(keys []string) (int, error) {
			values, err := client.MGet(ctx, keys...).Result()
			found := 0
			for _, value := range values {
				if value != nil {
					found++
				}
			}
			return found, err
		},
		setMany: func(keys []string, value []byte) func() error {
			return func() error {
				pipe := client.Pipeline()
				for _, key := range keys {
					pipe.Set(ctx, key, value, life)
				}
				_, err := pipe.Exec(ctx)
				return err
			}
		},
		close: func() { client.Close() },
	}, nil
}

func openRedis(addr string) (remoteStore, error) {
	return storeOf(redis.New(context.Background(), redis.Options{Addr: addr}))
}

func openRedisAlone(addr string) (remoteStore, error) {
	return storeOf(redis.New(context.Background(), redis.Options{Addr: addr, NoAutoPipeline: true}))
}

func openRedisCache(addr string) (remoteStore, error) {
	return storeOfCache(redis.New(context.Background(), redis.Options{Addr: addr}))
}

func openRedisAloneCache(addr string) (remoteStore, error) {
	return storeOfCache(redis.New(context.Background(), redis.Options{Addr: addr, NoAutoPipeline: true}))
}

func openRueidis(addr string) (remoteStore, error) {
	ctx := context.Background()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}, ForceSingleClient: true, DisableCache: true})
	if err != nil {
		return remoteStore{}, err
	}
	setCmd := func(key string, value []byte) rueidis.Completed {
		return client.B().Set().Key(key).Value(rueidis.BinaryString(value)).Ex(life).Build()
	}
	return remoteStore{
		get: func(key string) ([]byte, error) {
			return client.Do(ctx, client.B().Get().Key(key).Build()).AsBytes()
		},
		set: func(key string, value []byte) error { return client.Do(ctx, setCmd(key, value)).Error() },
		getMany: func(keys []string) (int, error) {
			values, err := client.Do(ctx, client.B().Mget().Key(keys...).Build()).ToArray()
			found := 0
			for i := range values {
				if !values[i].IsNil() {
					found++
				}
			}
			return found, err
		},
		setMany: func(keys []string, value []byte) func() error {
			return func() error {
				cmds := make(rueidis.Commands, 0, len(keys))
				for _, key := range keys {
					cmds = append(cmds, setCmd(key, value))
				}
				for _, result := range client.DoMulti(ctx, cmds...) {
					if err := result.Error(); err != nil {
						return err
					}
				}
				return nil
			}
		},
		close: client.Close,
	}, nil
}

func openGofiberStorage(addr string) (remoteStore, error) {
	ctx := context.Background()
	s := storage.New(storage.Config{Addrs: []string{addr}})
	return remoteStore{
		get: func(key string) ([]byte, error) {
			value, err := s.GetWithContext(ctx, key)
			if value == nil && err == nil {
				err = os.ErrNotExist
			}
			return value, err
		},
		set:   func(key string, value []byte) error { return s.SetWithContext(ctx, key, value, life) },
		close: func() { s.Close() },
	}, nil
}

func openGoRedisCache(addr string) (remoteStore, error) {
	ctx := context.Background()
	client := goredis.NewClient(&goredis.Options{Addr: addr})
	c := rediscache.New(&rediscache.Options{Redis: client})
	return remoteStore{
		get: func(key string) ([]byte, error) {
			var value []byte
			err := c.Get(ctx, key, &value)
			return value, err
		},
		set: func(key string, value []byte) error {
			return c.Set(&rediscache.Item{Ctx: ctx, Key: key, Value: value, TTL: life})
		},
		close: func() { client.Close() },
	}, nil
}
