package main

import (
	"context"
	"fmt"
	"os"

	goredis "github.com/redis/go-redis/v9"
)

// startRedis returns the address of the server that BENCH_REDIS names, or of one
// of our own. stop leaves nothing behind, on a server of somebody else neither.
func startRedis() (addr string, stop func(), err error) {
	end := func() {}
	if addr = os.Getenv("BENCH_REDIS"); addr == "" {
		addr, end, err = startServer("redis-server", func(port string) []string {
			return []string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"}
		})
		if err != nil {
			return "", nil, err
		}
	}
	admin := goredis.NewClient(&goredis.Options{Addr: addr, DialerRetries: 1, MaxRetries: -1})
	stop = func() {
		admin.Unlink(context.Background(), makeKeys(0, mostKeys)...)
		admin.Close()
		end()
	}
	if err := admin.Ping(context.Background()).Err(); err != nil {
		stop()
		return "", nil, fmt.Errorf("redis at %s: %w", addr, err)
	}
	return addr, stop, nil
}
