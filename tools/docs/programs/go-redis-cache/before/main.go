// Users in Redis, with go-redis/cache.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/go-redis/cache/v9"
	"github.com/redis/go-redis/v9"
)

// User is a value.
type User struct{ Name string }

func main() {
	ctx := context.Background()
	options, err := redis.ParseURL(os.Getenv("CACHE_REDIS_URL"))
	if err != nil {
		log.Fatal(err)
	}
	client := redis.NewClient(options)
	defer client.Close()
	users := cache.New(&cache.Options{Redis: client})

	for range 2 {
		var user User
		err := users.Once(&cache.Item{
			Ctx:   ctx,
			Key:   "user:42",
			Value: &user,
			TTL:   time.Minute,
			Do: func(*cache.Item) (any, error) {
				fmt.Println("asking the database")
				return User{Name: "Ada"}, nil
			},
		})
		fmt.Println(user.Name, err)
	}

	if err := users.Delete(ctx, "user:42"); err != nil {
		log.Fatal(err)
	}
	var user User
	err = users.Get(ctx, "user:42", &user)
	fmt.Println("found:", err != cache.ErrCacheMiss)
}
