// An outage of the cache that costs no time.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"

	cache "github.com/cachebackends/cachebackends/core"
	_ "github.com/cachebackends/cachebackends/guard"
	_ "github.com/cachebackends/cachebackends/redis"
)

func main() {
	ctx := context.Background()
	c, err := cache.Open(ctx, cache.FromMap(map[string]any{
		"CACHE_TYPE": "guard",
		"CACHE_OPTIONS": map[string]any{
			"budget": "50ms", // of one call
			"faults": 3,      // in a row open the breaker
			"pause":  "10s",  // until the server is tried again
			"inner": map[string]any{
				"CACHE_TYPE":      "redis",
				"CACHE_REDIS_URL": "redis://127.0.0.1:1/0", // nothing listens here
			},
		},
	}))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	users := cache.Of[string](c)
	for range 4 { // every call loads; the last ones do not try the server
		fmt.Println(users.GetOrSet(ctx, "42", func(context.Context) (string, error) { return "Ada", nil }))
	}
	stats, err := c.Stats(ctx)
	fmt.Println(stats.State, err)
	_, _, err = users.Get(ctx, "42")
	fmt.Println(errors.Is(err, cache.ErrUnavailable))
}
