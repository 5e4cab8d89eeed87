// Entries that programs with go-redis/cache and programs with this library share.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/redis"
	old "github.com/go-redis/cache/v9"
	goredis "github.com/redis/go-redis/v9"
)

// User is a value.
type User struct{ Name string }

func main() {
	ctx := context.Background()
	options, err := goredis.ParseURL(os.Getenv("CACHE_REDIS_URL"))
	if err != nil {
		log.Fatal(err)
	}
	client := goredis.NewClient(options) // one connection pool for both
	defer client.Close()
	before := old.New(&old.Options{Redis: client})

	backend, err := redis.NewFromClient(client, redis.Options{})
	if err != nil {
		log.Fatal(err)
	}
	// before.Marshal and before.Unmarshal are a codec.
	after := cache.Of[User](cache.New(backend, cache.WithPrefix("user:"), cache.WithCodec(before)))

	if err := before.Set(&old.Item{Ctx: ctx, Key: "user:42", Value: User{"Ada"}}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(after.Get(ctx, "42"))

	if err := after.Set(ctx, "43", User{"Grace"}); err != nil {
		log.Fatal(err)
	}
	var user User
	fmt.Println(before.Get(ctx, "user:43", &user), user)
}
