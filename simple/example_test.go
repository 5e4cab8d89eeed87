package simple_test

import (
	"context"
	"fmt"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/simple"
)

// A cache in the memory of the process.
func Example() {
	ctx := context.Background()
	backend, err := simple.New(ctx, simple.Options{Threshold: 10_000})
	if err != nil {
		fmt.Println(err)
		return
	}
	c := cache.New(backend, cache.WithDefaultTimeout(time.Minute))
	defer c.Close()

	c.Set(ctx, "greeting", []byte("hello"))
	value, ok, err := c.Get(ctx, "greeting")
	fmt.Printf("%s %v %v\n", value, ok, err)
	// Output: hello true <nil>
}

// Go values without encoding: a hit allocates nothing. All readers share the value
// and must not modify it.
func Example_values() {
	type user struct {
		Name   string
		Groups []string
	}
	ctx := context.Background()
	backend, err := simple.New(ctx, simple.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	c := cache.New(backend)
	defer c.Close()

	users := cache.Of[*user](c, cache.WithoutEncoding())
	load := func(context.Context) (*user, error) {
		fmt.Println("loading")
		return &user{"Ada", []string{"admin"}}, nil
	}
	for range 2 {
		ada, err := users.GetOrSet(ctx, "ada", load)
		fmt.Println(ada.Name, ada.Groups, err)
	}
	// Output:
	// loading
	// Ada [admin] <nil>
	// Ada [admin] <nil>
}

// A backend opened from the settings of Flask-Caching.
func Example_settings() {
	ctx := context.Background()
	c, err := cache.Open(ctx, cache.FromMap(map[string]any{
		"CACHE_TYPE":      "SimpleCache",
		"CACHE_THRESHOLD": "10000", // 0: no limit
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	visits, err := c.Inc(ctx, "visits", 1)
	fmt.Println(visits, err)
	// Output: 1 <nil>
}
