// Answers without delay, and during an outage of the source.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/loader"
	_ "github.com/cachebackends/cachebackends/simple"
)

func main() {
	ctx := context.Background()
	settings := cache.FromMap(map[string]any{"CACHE_TYPE": "simple", "CACHE_KEY_PREFIX": "rate:"})
	c, err := cache.Open(ctx, settings.Override(cache.FromEnv(os.Environ())))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	calls := 0
	rates := loader.New(c, loader.Policy{
		Fresh:   10 * time.Millisecond, // a minute, say; here the program waits for its end
		Rescue:  time.Hour,             // for so long after it, a failed load returns the old rate
		Limit:   5 * time.Second,       // of one load
		Backoff: 10 * time.Second,      // after a failed load
		Lease:   5 * time.Second,       // one load per currency over all processes
		OnError: func(_ context.Context, currency string, err error) { log.Print(currency, ": ", err) },
	}, func(ctx context.Context, currency string) (float64, error) {
		if calls++; calls > 1 {
			return 0, errors.New("503 Service Unavailable")
		}
		return 1.25, nil
	})
	defer rates.Close()

	fmt.Println(rates.Get(ctx, "EUR"))
	time.Sleep(20 * time.Millisecond)
	fmt.Println(rates.Get(ctx, "EUR"))
	fmt.Println(rates.Get(ctx, "EUR"))
	fmt.Println(calls, "calls of the source")
}
