package main

import (
	"context"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/spf13/cobra"
)

func (a *app) hasCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "has KEY",
		Short:   "Tell by the exit status whether a key is there",
		Example: "  if cachectl has greeting; then ...",
		Args:    cobra.ExactArgs(1),
		RunE: a.withCache(func(ctx context.Context, c *cache.Cache, args []string) error {
			ok, err := c.Has(ctx, args[0])
			if err != nil {
				return err
			}
			return a.answer(ok, object{"key": args[0], "hit": ok}, nil)
		}),
	}
}
