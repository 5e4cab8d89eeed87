// Greetings in Redis, with eko/gocache.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/eko/gocache/lib/v4/cache"
	"github.com/eko/gocache/lib/v4/store"
	redisstore "github.com/eko/gocache/store/redis/v4"
	"github.com/redis/go-redis/v9"
)

func main() {
	ctx := context.Background()
	options, err := redis.ParseURL(os.Getenv("CACHE_REDIS_URL"))
	if err != nil {
		log.Fatal(err)
	}
	client := redis.NewClient(options)
	defer client.Close()
	greetings := cache.New[string](redisstore.NewRedis(client))

	if err := greetings.Set(ctx, "en", "hello", store.WithExpiration(time.Minute)); err != nil {
		log.Fatal(err)
	}
	fmt.Println(greetings.Get(ctx, "en"))

	_, err = greetings.Get(ctx, "xx")
	fmt.Println("found:", !errors.Is(err, store.NotFound{}))

	loaded := cache.NewLoadable(func(_ context.Context, key any) (string, []store.Option, error) {
		fmt.Println("loading", key)
		return "bonjour", []store.Option{store.WithExpiration(time.Minute)}, nil
	}, greetings)
	for range 2 {
		fmt.Println(loaded.Get(ctx, "fr"))
	}
	loaded.Close()
}
