package main

import (
	"context"
	"fmt"
	"log"
	"sync"
	"sync/atomic"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	_ "github.com/cachebackends/cachebackends/simple"
)

// User is a cached value.
type User struct {
	ID   int
	Name string
}

func main() {
	log.SetFlags(0)
	if err := run(context.Background()); err != nil {
		log.Fatal("demo: ", err)
	}
}

func run(ctx context.Context) error {
	c, err := cache.Open(ctx, cache.FromMap(map[string]any{"CACHE_TYPE": "simple", "CACHE_DEFAULT_TIMEOUT": "5m"}))
	if err != nil {
		return err
	}
	defer c.Close()
	users := cache.Of[User](c)

	var loads atomic.Int64
	load := func(context.Context) (User, error) {
		loads.Add(1)
		time.Sleep(300 * time.Millisecond) // a slow database
		return User{ID: 42, Name: "Ada"}, nil
	}

	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() { users.GetOrSet(ctx, "user:42", load) })
	}
	callers.Wait()
	fmt.Printf("   8 concurrent callers, %d load of 300 ms\n", loads.Load())

	start := time.Now()
	user, err := users.GetOrSet(ctx, "user:42", load)
	if err != nil {
		return err
	}
	fmt.Printf("   %+v from the cache in %v\n", user, time.Since(start))

	if user.Name != "Ada" || loads.Load() != 1 {
		return fmt.Errorf("got %+v after %d loads, want Ada after 1", user, loads.Load())
	}
	return nil
}
