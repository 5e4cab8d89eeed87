package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/spf13/cobra"
)

// openNamed opens the store that an argument names: "env" is the environment and --config,
// "env:OLD_" the variables OLD_CACHE_TYPE and so on, and everything else a JSON file of
// settings, which the environment does not complete.
func (a *app) openNamed(ctx context.Context, name string) (*entryStore, error) {
	if name == "env" {
		layers, err := a.layers()
		if err != nil {
			return nil, err
		}
		return a.openStore(ctx, layers, name)
	}
	config, err := a.named(name)
	if err != nil {
		return nil, err
	}
	if !config.Has("CACHE_TYPE") {
		return nil, usagef("%s: CACHE_TYPE is not set", name)
	}
	return a.openStore(ctx, []layer{{name, config}, strict}, name)
}

func (a *app) openStore(ctx context.Context, layers []layer, name string) (*entryStore, error) {
	c, err := a.openLayers(ctx, layers)
	if err != nil && name != "env" {
		err = namedError{name, err}
	}
	if err != nil {
		return nil, err
	}
	return newEntryStore(c, merge(layers), name), nil
}

func (a *app) named(name string) (cache.Config, error) {
	if prefix, isEnv := strings.CutPrefix(name, "env:"); isEnv {
		return cache.FromEnv(withoutPrefix(a.environ, prefix)), nil
	}
	f, err := os.Open(name)
	if err != nil {
		return cache.Config{}, usagef("%w: want a JSON file of settings, env, or env:PREFIX for variables such as PREFIXCACHE_TYPE", err)
	}
	defer f.Close()
	config := cache.FromJSON(f)
	if err := config.Err(); err != nil {
		return cache.Config{}, usagef("%s: %w", name, err)
	}
	return config, nil
}

// withoutPrefix returns the variables whose names begin with prefix, without it.
func withoutPrefix(environ []string, prefix string) []string {
	var found []string
	for _, entry := range environ {
		if rest, ok := strings.CutPrefix(entry, prefix); ok {
			found = append(found, rest)
		}
	}
	return found
}

// namedError says which of two stores an error is from.
type namedError struct {
	name string
	error
}

func (e namedError) Error() string { return e.name + ": " + e.error.Error() }
func (e namedError) Unwrap() error { return e.error }

// withStore returns a command body that opens the store of the settings, calls do until a
// signal ends it, and closes the store.
func (a *app) withStore(do func(ctx context.Context, s *entryStore, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		s, err := a.openNamed(cmd.Context(), "env")
		if err != nil {
			return err
		}
		s.name = "" // there is only one
		err = untilSignal(cmd.Context(), func(ctx context.Context) error { return do(ctx, s, args) })
		return s.close(err)
	}
}

// close closes the store and returns err, joined with the error of closing.
func (s *entryStore) close(err error) error {
	if closing := s.cache.Close(); closing != nil {
		return errors.Join(err, fmt.Errorf("closing: %w", closing))
	}
	return err
}
