package uwsgi_test

import (
	"context"
	"fmt"
	"log"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/uwsgi"
)

// Open from settings. The server must be running.
func Example() {
	ctx := context.Background()
	c, err := cache.Open(ctx, cache.FromMap(map[string]any{
		"CACHE_TYPE":       "uwsgi",
		"CACHE_UWSGI_NAME": "mycache@127.0.0.1:3031",
		"CACHE_KEY_PREFIX": "shop:",
		"CACHE_OPTIONS":    map[string]any{"max_value": 4096},
	}))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if err := c.Set(ctx, "greeting", []byte("hello")); err != nil {
		log.Fatal(err)
	}
}

// Get reads what a Python worker stored with
//
//	uwsgi.cache_update("user:42", b"...", 60, "mycache")
func ExampleNew() {
	ctx := context.Background()
	backend, err := uwsgi.New(ctx, uwsgi.Options{Addr: "/run/app.sock", Cache: "mycache"})
	if err != nil {
		log.Fatal(err)
	}
	c := cache.New(backend, cache.WithDefaultTimeout(time.Minute))
	defer c.Close()
	value, ok, err := c.Get(ctx, "user:42")
	fmt.Println(value, ok, err)
}
