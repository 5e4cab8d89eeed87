package gcs_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"cloud.google.com/go/storage"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/gcs"
)

// From settings, such as those of the environment. Nothing is asked for yet.
func Example() {
	c, err := cache.Open(context.Background(), cache.FromMap(map[string]any{
		"CACHE_TYPE":           "gcs",
		"CACHE_GCS_BUCKET":     "shop-cache",
		"CACHE_GCS_KEY_PREFIX": "pages/",
		"CACHE_GCS_ENDPOINT":   "http://localhost:4443", // an emulator; credentials are found without it
		"CACHE_GCS_ANONYMOUS":  true,
		"CACHE_OPTIONS":        map[string]any{"concurrency": 64, "timeout": "10s"},
	}))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Printf("%T\n", c.Backend())
	// Output: *gcs.Backend
}

// One client for the cache and for the rest of the application, which goes on
// using it when the cache is closed.
func ExampleNewFromClient() {
	ctx := context.Background()
	client, err := storage.NewClient(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	backend, err := gcs.NewFromClient(client, gcs.Options{Bucket: "shop-cache"})
	if err != nil {
		log.Fatal(err)
	}
	c := cache.New(backend, cache.WithPrefix("reports/"))
	if err := c.Set(ctx, "today", []byte("sold out"), cache.Timeout(time.Hour)); err != nil {
		log.Fatal(err)
	}
	if err := c.Close(); err != nil {
		log.Fatal(err)
	}
}
