// Memory in front of a server.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	cache "github.com/cachebackends/cachebackends/core"
	_ "github.com/cachebackends/cachebackends/redis"
	_ "github.com/cachebackends/cachebackends/simple"
	_ "github.com/cachebackends/cachebackends/tiered"
)

func open(ctx context.Context) (*cache.Cache, error) {
	return cache.Open(ctx, cache.FromMap(map[string]any{
		"CACHE_TYPE":       "tiered",
		"CACHE_KEY_PREFIX": "shop:",
		"CACHE_OPTIONS": map[string]any{
			"near":     map[string]any{"CACHE_TYPE": "simple", "CACHE_MAX_BYTES": "64MiB"},
			"far":      map[string]any{"CACHE_TYPE": "redis", "CACHE_REDIS_URL": os.Getenv("CACHE_REDIS_URL")},
			"near_ttl": "30s", // the longest staleness, also if the server reports no changes
		},
	}))
}

func main() {
	ctx := context.Background()
	one, err := open(ctx) // this process
	if err != nil {
		log.Fatal(err)
	}
	defer one.Close()
	two, err := open(ctx) // another process, for which it stands here
	if err != nil {
		log.Fatal(err)
	}
	defer two.Close()

	fmt.Println(one.Set(ctx, "greeting", []byte("hello")))
	value, ok, err := two.Get(ctx, "greeting") // from the server
	fmt.Println(string(value), ok, err)
	value, ok, err = two.Get(ctx, "greeting") // from the memory of the process
	fmt.Println(string(value), ok, err)
}
