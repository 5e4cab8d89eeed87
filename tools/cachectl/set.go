package main

import (
	"context"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/spf13/cobra"
)

func (a *app) setCommand() *cobra.Command {
	var (
		in   input
		life timeout
	)
	cmd := &cobra.Command{
		Use:   "set KEY [VALUE | -]",
		Short: "Store a value",
		Example: `  cachectl set greeting hello --timeout 10m
  cachectl set logo --file logo.png
  date | cachectl set now -`,
		Args: cobra.RangeArgs(1, 2),
	}
	in.addTo(cmd)
	life.addTo(cmd)
	cmd.RunE = a.withCache(func(ctx context.Context, c *cache.Cache, args []string) error {
		value, err := in.value(a, args)
		if err != nil {
			return err
		}
		if err := c.Set(ctx, args[0], value, life.options()...); err != nil {
			return err
		}
		return a.answer(true, object{"key": args[0], "stored": true}, nil)
	})
	return cmd
}
