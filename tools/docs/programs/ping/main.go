// A start that fails if the store cannot be used.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	_ "github.com/cachebackends/cachebackends/simple"
)

// open opens the cache and waits at most ten seconds for its server.
func open(ctx context.Context, settings cache.Config) (*cache.Cache, error) {
	c, err := cache.Open(ctx, settings) // reports wrong settings
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		err := c.Ping(ctx)
		switch {
		case err == nil:
			return c, nil
		case !errors.Is(err, cache.ErrUnavailable) || ctx.Err() != nil: // a wrong password does not get better
			return nil, errors.Join(err, c.Close())
		}
		select {
		case <-time.After(250 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

func main() {
	settings := cache.FromMap(map[string]any{"CACHE_TYPE": "simple"})
	c, err := open(context.Background(), settings.Override(cache.FromEnv(os.Environ())))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer c.Close()
	fmt.Println("ready")
}
