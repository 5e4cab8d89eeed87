package stores

import (
	"github.com/cachebackends/cachebackends/redis"
	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"

	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

// Redis are the clients of a Redis server.
var Redis = Kind{Missing: redisServer.missing, Start: redisServer.start, peers: []peer{
	{"redis", "nothing: automatic pipelining is on", true, func(addr string) (store, error) {
		return through(redis.New(ctx, redis.Options{Addr: addr}))
	}},
	{"go-redis", "automatic pipelining: a plain pool; the bare MGET and pipeline", false, openGoRedis},
	{"rueidis", "nothing: automatic pipelining is on, its cache in memory is off", false, openRueidis},
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
