package tiered_test

import (
	"context"
	"fmt"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/tiered"
	"github.com/cachebackends/cachebackends/tiered/internal/memory"
)

// A store in memory in front of a store that other processes share. A program has a
// simple.Backend in place of near, and a redis.Backend, for example, in place of far.
func ExampleNew() {
	ctx := context.Background()
	near, far := memory.New(), memory.NewFar()
	backend, err := tiered.New(near, far, tiered.Options{NearTTL: time.Minute})
	if err != nil {
		fmt.Println(err)
		return
	}
	c := cache.New(backend)
	defer c.Close()

	_ = c.Set(ctx, "greeting", []byte("hello"))
	value, ok, err := c.Get(ctx, "greeting")
	fmt.Println(c.Name(), string(value), ok, err)

	_, err = tiered.New(near, far.Plain(), tiered.Options{})
	fmt.Println(err)
	// Output:
	// tiered(far) hello true <nil>
	// tiered: invalid settings: CACHE_OPTIONS.near_ttl (Options.NearTTL): missing: memory.plain reports no changes, so that it is the bound of staleness
}
