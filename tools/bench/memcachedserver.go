package main

import (
	"fmt"
	"os"

	"github.com/bradfitz/gomemcache/memcache"
)

// startMemcached returns the address of the server that BENCH_MEMCACHED names, or
// of one of our own. stop leaves nothing behind, on a server of somebody else neither.
func startMemcached() (addr string, stop func(), err error) {
	end := func() {}
	if addr = os.Getenv("BENCH_MEMCACHED"); addr == "" {
		addr, end, err = startServer("memcached", func(port string) []string {
			return []string{"-p", port, "-l", "127.0.0.1", "-u", "root", "-m", "1024"}
		})
		if err != nil {
			return "", nil, err
		}
	}
	admin := memcache.New(addr)
	stop = func() {
		if os.Getenv("BENCH_MEMCACHED") != "" {
			for _, key := range makeKeys(0, mostKeys) {
				admin.Delete(key)
			}
		}
		admin.Close()
		end()
	}
	if err := admin.Ping(); err != nil {
		stop()
		return "", nil, fmt.Errorf("memcached at %s: %w", addr, err)
	}
	return addr, stop, nil
}
