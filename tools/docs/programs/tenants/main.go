// Tenants that share a store and see only their own entries.
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/simple"
)

func main() {
	ctx := context.Background()
	backend, err := simple.New(ctx, simple.Options{MaxBytes: 64 << 20}) // or redis.New, memcached.New, ...
	if err != nil {
		log.Fatal(err)
	}
	defer backend.Close() // once: all caches below use it

	// The colon ends the name: "tenant-1:" is not a prefix of "tenant-12:".
	of := func(tenant string, timeout time.Duration) *cache.Cache {
		return cache.New(backend, cache.WithPrefix(tenant+":"), cache.WithDefaultTimeout(timeout))
	}
	one, twelve := of("tenant-1", time.Minute), of("tenant-12", time.Hour)

	one.Set(ctx, "plan", []byte("free"))
	twelve.Set(ctx, "plan", []byte("team"))
	fmt.Println(one.Clear(ctx)) // removes the entries of one tenant

	_, ok, err := one.Get(ctx, "plan")
	fmt.Println(ok, err)
	plan, ok, err := twelve.Get(ctx, "plan")
	fmt.Println(string(plan), ok, err)
}
