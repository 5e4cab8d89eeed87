// A program for which an outage of the cache is a series of misses.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"

	cache "github.com/cachebackends/cachebackends/core"
	_ "github.com/cachebackends/cachebackends/redis"
)

func main() {
	ctx := context.Background()
	faults := 0
	c, err := cache.Open(ctx, cache.FromMap(map[string]any{
		"CACHE_TYPE":          "redis",
		"CACHE_REDIS_URL":     "redis://127.0.0.1:1/0", // nothing listens here
		"CACHE_IGNORE_ERRORS": true,
	}), cache.WithObserver(func(_ context.Context, e cache.Event) {
		if e.Err != nil {
			faults++ // a metric in a real program
		}
	}))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	value, ok, err := c.Get(ctx, "greeting")
	fmt.Printf("%q %v %v\n", value, ok, err)
	fmt.Println(c.Set(ctx, "greeting", []byte("hello")))

	// Mistakes of the program are still errors.
	err = c.Set(ctx, "", []byte("hello"))
	fmt.Println(errors.Is(err, cache.ErrInvalidKey))
	fmt.Println(faults, "faults")
}
