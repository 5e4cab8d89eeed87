package filesystem_test

import (
	"context"
	"fmt"
	"os"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/filesystem"
)

// The entries of one run of a program are present in the next.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "cache")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	for run := range 2 {
		backend, err := filesystem.New(ctx, filesystem.Options{Dir: dir, Threshold: 10_000})
		if err != nil {
			fmt.Println(err)
			return
		}
		c := cache.New(backend, cache.WithDefaultTimeout(time.Hour))
		report, err := cache.Of[string](c).GetOrSet(ctx, "report", func(context.Context) (string, error) {
			return fmt.Sprintf("created by run %d", run), nil
		})
		fmt.Println(report, err)
		c.Close()
	}
	// Output:
	// created by run 0 <nil>
	// created by run 0 <nil>
}

// A backend opened from the settings of Flask-Caching.
func Example_settings() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "cache")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	c, err := cache.Open(ctx, cache.FromMap(map[string]any{
		"CACHE_TYPE":      "FileSystemCache",
		"CACHE_DIR":       dir,
		"CACHE_THRESHOLD": 1000,
		"CACHE_OPTIONS":   map[string]any{"mode": "0640"},
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	visits, err := c.Inc(ctx, "visits", 1, cache.Timeout(0))
	fmt.Println(visits, err)
	// Output: 1 <nil>
}
