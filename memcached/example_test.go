package memcached_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/memcached"
)

// From settings, such as those of the environment. Nothing is connected yet.
func Example() {
	c, err := cache.Open(context.Background(), cache.FromMap(map[string]any{
		"CACHE_TYPE":              "memcached",
		"CACHE_MEMCACHED_SERVERS": []string{"10.0.0.1:11211", "10.0.0.2:11211"},
		"CACHE_KEY_PREFIX":        "shop:",
		"CACHE_OPTIONS":           map[string]any{"read_timeout": "1s"},
	}))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Printf("%T\n", c.Backend())
	// Output: *memcached.Backend
}

// One client for the cache and for the rest of the application, which goes on
// using it when the cache is closed.
func ExampleNewFromClient() {
	ctx := context.Background()
	client := memcache.New("localhost:11211")
	defer client.Close()

	backend, err := memcached.NewFromClient(client, memcached.Options{})
	if err != nil {
		log.Fatal(err)
	}
	c := cache.New(backend, cache.WithPrefix("shop:"))
	if err := c.Set(ctx, "greeting", []byte("hello"), cache.Timeout(time.Minute)); err != nil {
		log.Fatal(err)
	}
	if err := c.Close(); err != nil {
		log.Fatal(err)
	}

	item, err := client.Get("shop:greeting")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(item.Value))
}

// A server with SASL, and values up to 32 MiB.
func ExampleNew_spread() {
	backend, err := memcached.New(context.Background(), memcached.Options{
		Servers:  []string{"10.0.0.1:11211"},
		Protocol: memcached.Binary,
		Username: "shop",
		Spread:   true,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer backend.Close()
}

// The same keys as a Python program that uses pylibmc with ketama.
func ExampleNew_ketama() {
	backend, err := memcached.New(context.Background(), memcached.Options{
		Servers:      []string{"10.0.0.1:11211", "10.0.0.2:11211", "10.0.0.3:11211"},
		Distribution: memcached.Ketama,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer backend.Close()
}
