// A rate limit that all processes share.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	_ "github.com/cachebackends/cachebackends/simple"
)

// limiter allows each client a number of calls per window. The window begins with the
// first call of the client.
type limiter struct {
	cache  *cache.Cache
	limit  int64
	window time.Duration
}

// allow counts a call. If the store fails, the call is allowed and the error returned.
func (l limiter) allow(ctx context.Context, client string) (allowed bool, err error) {
	calls, err := l.cache.Inc(ctx, "rate:"+client, 1, cache.Timeout(l.window))
	if err != nil {
		return true, err
	}
	return calls <= l.limit, nil
}

func main() {
	ctx := context.Background()
	settings := cache.FromMap(map[string]any{"CACHE_TYPE": "simple"})
	c, err := cache.Open(ctx, settings.Override(cache.FromEnv(os.Environ())))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	calls := limiter{cache: c, limit: 3, window: time.Minute}
	for range 4 {
		allowed, err := calls.allow(ctx, "203.0.113.7")
		fmt.Println(allowed, err)
	}
	left, _, err := c.TTL(ctx, "rate:203.0.113.7") // for the header Retry-After
	fmt.Println(left.Round(time.Minute), err)
}
