// Mistakes in settings, and what Open says about them.
package main

import (
	"context"
	"fmt"

	cache "github.com/cachebackends/cachebackends/core"
	_ "github.com/cachebackends/cachebackends/simple" // the only backend of this program
)

func main() {
	for _, environ := range [][]string{
		{"CACHE_TYPE=redis"},
		{"CACHE_TYPE=simpel"},
		{"CACHE_TYPE=redis://db:6379"},
		{"CACHE_TYPE=simple", "CACHE_TRESHOLD=100", "CACHE_DEFAULT_TIMEOUT=5 minutes"},
		{},
	} {
		_, err := cache.Open(context.Background(), cache.FromEnv(environ))
		fmt.Println(err)
		fmt.Println()
	}
}
