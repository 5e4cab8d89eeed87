// Greetings in Redis.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	_ "github.com/cachebackends/cachebackends/redis"
)

func main() {
	ctx := context.Background()
	settings := cache.FromMap(map[string]any{"CACHE_TYPE": "redis", "CACHE_KEY_PREFIX": "greeting:"})
	c, err := cache.Open(ctx, settings.Override(cache.FromEnv(os.Environ()))) // CACHE_REDIS_URL
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	greetings := cache.Of[string](c)

	if err := greetings.Set(ctx, "en", "hello", cache.Timeout(time.Minute)); err != nil {
		log.Fatal(err)
	}
	hello, _, err := greetings.Get(ctx, "en")
	fmt.Println(hello, err)

	_, found, err := greetings.Get(ctx, "xx")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("found:", found)

	for range 2 {
		fmt.Println(greetings.GetOrSet(ctx, "fr", func(context.Context) (string, error) {
			fmt.Println("loading fr")
			return "bonjour", nil
		}, cache.Timeout(time.Minute)))
	}
}
