// Users in memory.
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/simple"
)

// User is a value.
type User struct{ Name string }

func main() {
	ctx := context.Background()
	backend, err := simple.New(ctx, simple.Options{Threshold: 10_000})
	if err != nil {
		log.Fatal(err)
	}
	c := cache.New(backend, cache.WithDefaultTimeout(5*time.Minute))
	defer c.Close()
	users := cache.Of[*User](c, cache.WithoutEncoding()) // all callers share the *User

	users.Set(ctx, "42", &User{"Ada"})
	users.Set(ctx, "43", &User{"Grace"}, cache.Timeout(0))
	if user, ok, _ := users.Get(ctx, "42"); ok {
		fmt.Println(user.Name)
	}

	c.Inc(ctx, "visits", 1, cache.Timeout(time.Hour))
	visits, err := c.Inc(ctx, "visits", 1)
	fmt.Println(visits, err)

	c.Clear(ctx)
	_, found, _ := users.Get(ctx, "43")
	fmt.Println("found:", found)
}
