// Counters without locks.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"sync"

	cache "github.com/cachebackends/cachebackends/core"
	_ "github.com/cachebackends/cachebackends/simple"
)

func main() {
	ctx := context.Background()
	settings := cache.FromMap(map[string]any{"CACHE_TYPE": "simple", "CACHE_KEY_PREFIX": "views:"})
	c, err := cache.Open(ctx, settings.Override(cache.FromEnv(os.Environ())))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	var readers sync.WaitGroup
	for range 64 {
		readers.Go(func() {
			for range 10 {
				if _, err := c.Inc(ctx, "/news", 1, cache.Timeout(0)); err != nil {
					log.Print(err)
				}
			}
		})
	}
	readers.Wait()

	counts, err := cache.Of[int64](c).GetDict(ctx, "/news", "/offers") // one round trip
	fmt.Println(counts, err)
}
