package main

import (
	"context"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/spf13/cobra"
)

func (a *app) addCommand() *cobra.Command {
	var (
		in   input
		life timeout
	)
	cmd := &cobra.Command{
		Use:     "add KEY [VALUE | -]",
		Short:   "Store a value only where the key is absent; exit status 1 where it is not",
		Example: "  cachectl add nightly.lock $$ --timeout 1h && ./nightly",
		Args:    cobra.RangeArgs(1, 2),
	}
	in.addTo(cmd)
	life.addTo(cmd)
	cmd.RunE = a.withCache(func(ctx context.Context, c *cache.Cache, args []string) error {
		value, err := in.value(a, args)
		if err != nil {
			return err
		}
		added, err := c.Add(ctx, args[0], value, life.options()...)
		if err != nil {
			return err
		}
		return a.answer(added, object{"key": args[0], "added": added}, nil)
	})
	return cmd
}
