package stores

import (
	"strings"

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
	{"go-redis", "automatic pipelining: a plain pool; the bare MGET and pipeline", false, func(addr string) (store, error) {
		return openGoRedis(goredis.NewClient(&goredis.Options{Addr: addr})), nil
	}},
	{"rueidis", "nothing: automatic pipelining is on, its cache in memory is off", false, func(addr string) (store, error) {
		return openRueidis(rueidis.ClientOption{InitAddress: []string{addr}, ForceSingleClient: true, DisableCache: true})
	}},
}}

// RedisCluster are the clients of a cluster of three primaries.
var RedisCluster = Kind{Missing: redisClusterServer.missing, Start: redisClusterServer.start, peers: []peer{
	{"redis", "nothing: automatic pipelining is on", true, func(addr string) (store, error) {
		return through(redis.New(ctx, redis.Options{Cluster: strings.Split(addr, ",")}))
	}},
	{"go-redis", "automatic pipelining: a plain pool; the bare MGET and pipeline", false, func(addr string) (store, error) {
		return openGoRedis(goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: strings.Split(addr, ",")})), nil
	}},
	{"rueidis", "nothing: automatic pipelining is on, its cache in memory is off", false, func(addr string) (store, error) {
		return openRueidis(rueidis.ClientOption{InitAddress: strings.Split(addr, ","), DisableCache: true})
	}},
}}

func openGoRedis(client goredis.UniversalClient) store {
	s := store{
		get:    func(key string) ([]byte, error) { return client.Get(ctx, key).Bytes() },
		set:    func(key string, value []byte) error { return client.Set(ctx, key, value, workload.Life).Err() },
		remove: func(key string) error { n, err := client.Unlink(ctx, key).Result(); return done(n == 1, err) },
		add: func(key string, value []byte) error {
			return done(client.SetNX(ctx, key, value, workload.Life).Result())
		},
		ttl: func(key string) error { ttl, err := client.PTTL(ctx, key).Result(); return done(ttl > 0, err) },
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
				_, err := pipelined(client, keys, func(p goredis.Pipeliner, key string) { p.Set(ctx, key, value, workload.Life) })
				return err
			}
		},
		deleteMany: func(keys []string) (int, error) {
			return pipelined(client, keys, func(p goredis.Pipeliner, key string) { p.Unlink(ctx, key) })
		},
		close: func() { client.Close() },
	}
	if _, ok := client.(*goredis.ClusterClient); ok { // MGET cannot span slots
		s.getMany = func(keys []string) (int, error) {
			return pipelined(client, keys, func(p goredis.Pipeliner, key string) { p.Get(ctx, key) })
		}
	}
	return s
}

// pipelined returns the number of commands, all of which succeed if there is no error.
func pipelined(client goredis.UniversalClient, keys []string, do func(p goredis.Pipeliner, key string)) (int, error) {
	pipe := client.Pipeline()
	for _, key := range keys {
		do(pipe, key)
	}
	cmds, err := pipe.Exec(ctx)
	return len(cmds), err
}

func openRueidis(o rueidis.ClientOption) (store, error) {
	client, err := rueidis.NewClient(o)
	if err != nil {
		return store{}, err
	}
	b := client.B
	setCmd := func(key string, value []byte) rueidis.Completed {
		return b().Set().Key(key).Value(rueidis.BinaryString(value)).Ex(workload.Life).Build()
	}
	each := func(keys []string, cmd func(key string) rueidis.Completed) (int, error) {
		cmds := make(rueidis.Commands, 0, len(keys))
		for _, key := range keys {
			cmds = append(cmds, cmd(key))
		}
		for _, result := range client.DoMulti(ctx, cmds...) {
			if err := result.Error(); err != nil {
				return 0, err
			}
		}
		return len(keys), nil
	}
	s := store{
		get: func(key string) ([]byte, error) { return client.Do(ctx, b().Get().Key(key).Build()).AsBytes() },
		set: func(key string, value []byte) error { return client.Do(ctx, setCmd(key, value)).Error() },
		remove: func(key string) error {
			n, err := client.Do(ctx, b().Unlink().Key(key).Build()).AsInt64()
			return done(n == 1, err)
		},
		add: func(key string, value []byte) error { // a refusal is a null, which is an error
			return client.Do(ctx, b().Set().Key(key).Value(rueidis.BinaryString(value)).Nx().Ex(workload.Life).Build()).Error()
		},
		ttl: func(key string) error {
			ms, err := client.Do(ctx, b().Pttl().Key(key).Build()).AsInt64()
			return done(ms > 0, err)
		},
		getMany: func(keys []string) (int, error) {
			values, err := client.Do(ctx, b().Mget().Key(keys...).Build()).ToArray()
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
				_, err := each(keys, func(key string) rueidis.Completed { return setCmd(key, value) })
				return err
			}
		},
		deleteMany: func(keys []string) (int, error) {
			return each(keys, func(key string) rueidis.Completed { return b().Unlink().Key(key).Build() })
		},
		close: client.Close,
	}
	if !o.ForceSingleClient { // MGET cannot span slots
		s.getMany = func(keys []string) (int, error) {
			return each(keys, func(key string) rueidis.Completed { return b().Get().Key(key).Build() })
		}
	}
	return s, nil
}
