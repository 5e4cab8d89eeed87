package redis_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/redis"
	goredis "github.com/redis/go-redis/v9"
)

// From settings, such as those of the environment. Nothing connects yet.
func Example() {
	c, err := cache.Open(context.Background(), cache.FromMap(map[string]any{
		"CACHE_TYPE":       "redis",
		"CACHE_REDIS_URL":  "redis://localhost:6379/0",
		"CACHE_KEY_PREFIX": "shop:",
		"CACHE_OPTIONS":    map[string]any{"pool_size": 20, "read_timeout": "1s"},
	}))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Printf("%T\n", c.Backend())
	// Output: *redis.Backend
}

// One client serves the cache and the rest of the application, which still uses it when
// the cache is closed.
func ExampleNewFromClient() {
	ctx := context.Background()
	client := goredis.NewClient(&goredis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true})
	defer client.Close()

	backend, err := redis.NewFromClient(client, redis.Options{})
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

	fmt.Println(client.Get(ctx, "shop:greeting").Val())
}

// Any node of a cluster leads to the others.
func ExampleNew_cluster() {
	backend, err := redis.New(context.Background(), redis.Options{
		Cluster:  []string{"10.0.0.1:6379", "10.0.0.2:6379"},
		Username: "shop",
		Password: cache.Secret(os.Getenv("REDIS_PASSWORD")),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer backend.Close()
}

// The sentinels know which server is the primary, also after a failover.
func ExampleNew_sentinels() {
	backend, err := redis.New(context.Background(), redis.Options{
		Sentinels:      []string{"10.0.0.1:26379", "10.0.0.2:26379", "10.0.0.3:26379"},
		SentinelMaster: "mymaster",
	})
	if err != nil {
		log.Fatal(err)
	}
	defer backend.Close()
}
