package main

// redisSeries compare clients of a Redis server.
func redisSeries() []series { return redisRemote().series("getmany", "setmany") }

func redisRemote() remote {
	return remote{"Redis", missingServer("BENCH_REDIS", "redis-server"), startRedis, redisPeers()}
}
