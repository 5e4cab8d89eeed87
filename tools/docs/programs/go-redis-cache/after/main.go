// Users in Redis.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	_ "github.com/cachebackends/cachebackends/redis"
)

// User is a value.
type User struct{ Name string }

func main() {
	ctx := context.Background()
	settings := cache.FromMap(map[string]any{"CACHE_TYPE": "redis", "CACHE_KEY_PREFIX": "user:"})
	c, err := cache.Open(ctx, settings.Override(cache.FromEnv(os.Environ()))) // CACHE_REDIS_URL
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	users := cache.Of[User](c)

	for range 2 {
		user, err := users.GetOrSet(ctx, "42", func(context.Context) (User, error) {
			fmt.Println("asking the database")
			return User{Name: "Ada"}, nil
		}, cache.Timeout(time.Minute))
		fmt.Println(user.Name, err)
	}

	if _, err := c.Delete(ctx, "42"); err != nil {
		log.Fatal(err)
	}
	_, found, err := users.Get(ctx, "42")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("found:", found)
}
