package null_test

import (
	"context"
	"fmt"

	cache "github.com/cachebackends/cachebackends/core"
	_ "github.com/cachebackends/cachebackends/null"
)

// A setting turns caching off: the program is unchanged and loads every time.
func Example() {
	ctx := context.Background()
	c, err := cache.Open(ctx, cache.FromMap(map[string]any{
		"CACHE_TYPE":            "NullCache",
		"CACHE_NO_NULL_WARNING": true,
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	loads := 0
	numbers := cache.Of[int](c)
	for range 3 {
		numbers.GetOrSet(ctx, "answer", func(context.Context) (int, error) {
			loads++
			return 42, nil
		})
	}
	fmt.Println("loaded", loads, "times")
	// Output: loaded 3 times
}
