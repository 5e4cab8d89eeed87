package stores

import (
	"github.com/cachebackends/cachebackends/redis"
	rediscache "github.com/go-redis/cache/v9"
	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"

	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

// Redis are the clients of a Redis server.
var Redis = Kind{Missing: redisServer.missing, Start: redisServer.start, Peers: []Peer{
	{Name: "redis", Lacks: "nothing: automatic pipelining is on", Ours: true, open: func(addr string) (store, error) {
		return through(redis.New(ctx, redis.Options{Addr: addr}))
	}},
	{Name: "go-redis", Lacks: "automatic pipelining: a plain pool; the bare MGET and pipeline", open: openGoRedis},
	{Name: "rueidis", Lacks: "nothing: automatic pipelining is on, its cache in memory is off", open: openRueidis},
	{Name: "go-redis-cache", Lacks: "automatic pipelining, batches, entries that never expire; its cache in memory is off",
		Skips: []string{"getmany", "setmany"}, open: openGoRedisCache},
}}

func openGoRedis(addr string) (store, error) {
	client := goredis.NewClient(&goredis.Options{Addr: addr})
	return store{
		get: func(key string) ([]byte, error) { return client.Get(ctx, key).Bytes() },
		set: func(key string, value []byte) error { return client.Set(ctx, key, value, workload.Life).Err() },
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
					pipe.Set(ctx, key, value, workload.Life)
				}
				_, err := pipe.Exec(ctx)
				return err
			}
		},
		close: func() { client.Close() },
	}, nil
}

func openRueidis(addr string) (store, error) {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}, ForceSingleClient: true, DisableCache: true})
	if err != nil {
		return store{}, err
	}
	setCmd := func(key string, value []byte) rueidis.Completed {
		return client.B().Set().Key(key).Value(rueidis.BinaryString(value)).Ex(workload.Life).Build()
	}
	return store{
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

func openGoRedisCache(addr string) (store, error) {
	client := goredis.NewClient(&goredis.Options{Addr: addr})
	c := rediscache.New(&rediscache.Options{Redis: client})
	return store{
		get: func(key string) ([]byte, error) {
			var value []byte
			err := c.Get(ctx, key, &value)
			return value, err
		},
		set: func(key string, value []byte) error {
			return c.Set(&rediscache.Item{Ctx: ctx, Key: key, Value: value, TTL: workload.Life})
		},
		close: func() { client.Close() },
	}, nil
}
