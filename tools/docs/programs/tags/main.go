// Pages that show a product are removed when the product changes.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/loader"
	_ "github.com/cachebackends/cachebackends/simple"
)

func main() {
	ctx := context.Background()
	settings := cache.FromMap(map[string]any{"CACHE_TYPE": "simple", "CACHE_KEY_PREFIX": "shop:"})
	c, err := cache.Open(ctx, settings.Override(cache.FromEnv(os.Environ())))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	price := 10
	pages := loader.New(c, loader.Policy{Fresh: time.Hour}, func(ctx context.Context, path string) (string, error) {
		loader.Tag(ctx, "product-7") // before the price is read
		return fmt.Sprintf("%s: %d EUR", path, price), nil
	})
	defer pages.Close()

	fmt.Println(pages.Get(ctx, "/home"))
	fmt.Println(pages.Get(ctx, "/offers"))

	price = 12
	if err := loader.Invalidate(ctx, c, "product-7"); err != nil { // after the change
		log.Fatal(err)
	}
	fmt.Println(pages.Get(ctx, "/home"))
	fmt.Println(pages.Get(ctx, "/offers"))
}
