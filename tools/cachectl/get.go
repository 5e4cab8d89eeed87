package main

import (
	"context"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/spf13/cobra"
)

func (a *app) getCommand() *cobra.Command {
	var newline bool
	cmd := &cobra.Command{
		Use:     "get KEY",
		Short:   "Write the value of a key to stdout, byte for byte",
		Example: "  cachectl get greeting",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().BoolVarP(&newline, "newline", "n", false, "end the value with a newline")
	cmd.RunE = a.withCache(func(ctx context.Context, c *cache.Cache, args []string) error {
		value, ok, err := c.Get(ctx, args[0])
		if err != nil {
			return err
		}
		fields := object{"key": args[0], "hit": ok}
		if ok {
			fields.bytes("value", value)
			if newline {
				value = append(value, '\n')
			}
		}
		return a.answer(ok, fields, value)
	})
	return cmd
}
