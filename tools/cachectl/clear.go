package main

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/spf13/cobra"
)

func (a *app) clearCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "clear",
		Short: "Remove every entry of CACHE_KEY_PREFIX or, when confirmed, of the store",
		Args:  cobra.NoArgs,
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask where there is no CACHE_KEY_PREFIX")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		layers, err := a.layers()
		if err != nil {
			return err
		}
		settings := merge(layers).Masked()
		if settings["CACHE_KEY_PREFIX"] == nil && !yes && !a.confirmed(settings["CACHE_TYPE"]) {
			return usagef("not confirmed, nothing was removed (--yes confirms)")
		}
		return a.withCache(func(ctx context.Context, c *cache.Cache, _ []string) error {
			if err := c.Clear(ctx); err != nil {
				return err
			}
			return a.answer(true, object{"cleared": true}, nil)
		})(cmd, args)
	}
	return cmd
}

func (a *app) confirmed(backend any) bool {
	fmt.Fprintf(a.stderr, "There is no CACHE_KEY_PREFIX: remove every entry of the %v store? [y/N] ", backend)
	reply, _ := bufio.NewReader(a.stdin).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(reply)) {
	case "y", "yes":
		return true
	}
	return false
}
