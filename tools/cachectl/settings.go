package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/spf13/cobra"
)

// layer is a place settings come from.
type layer struct {
	name   string
	config cache.Config
}

// layers returns where the settings come from, the strongest last.
func (a *app) layers() ([]layer, error) {
	given := []layer{{"environment", cache.FromEnv(a.environ)}}
	if a.configFile != "" {
		f, err := os.Open(a.configFile)
		if err != nil {
			return nil, usagef("--config: %w", err)
		}
		defer f.Close()
		config := cache.FromJSON(f)
		if err := config.Err(); err != nil {
			return nil, usagef("--config %s: %w", a.configFile, err)
		}
		given = append(given, layer{a.configFile, config})
	}
	// Faults are what the exit status tells, whatever a program may want.
	given = append(given, layer{"cachectl", cache.FromMap(map[string]any{"CACHE_IGNORE_ERRORS": false})})
	if merge(given).Has("CACHE_TYPE") {
		return given, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return nil, usagef("CACHE_TYPE is not set, and there is no cache directory for its default: %w", err)
	}
	embedded := cache.FromMap(map[string]any{
		"CACHE_TYPE": "filesystem",
		"CACHE_DIR":  filepath.Join(dir, "cachectl"),
	})
	return append([]layer{{"default", embedded}}, given...), nil
}

func merge(layers []layer) cache.Config {
	var merged cache.Config
	for _, l := range layers {
		merged = merged.Override(l.config)
	}
	return merged
}

// open opens the backend that the settings describe, with over in their place.
func (a *app) open(ctx context.Context, over ...layer) (*cache.Cache, error) {
	layers, err := a.layers()
	if err != nil {
		return nil, err
	}
	c, err := cache.Open(ctx, merge(append(layers, over...)))
	if errors.Is(err, cache.ErrInvalidSettings) {
		return nil, usageError{err}
	}
	return c, err
}

// action is what a command does with a cache.
type action func(ctx context.Context, c *cache.Cache, args []string) error

// withCache is the frame of the commands: it opens the cache for do.
func (a *app) withCache(do action, over ...layer) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := a.open(cmd.Context(), over...)
		if err != nil {
			return err
		}
		err = do(cmd.Context(), c, args)
		if closing := c.Close(); closing != nil {
			return errors.Join(err, fmt.Errorf("closing: %w", closing))
		}
		return err
	}
}
