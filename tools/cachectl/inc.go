package main

import (
	"context"
	"strconv"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/spf13/cobra"
)

func (a *app) incCommand() *cobra.Command {
	return a.counterCommand("inc KEY", "Add to a number and print the sum; an absent key starts at 0", (*cache.Cache).Inc)
}

func (a *app) decCommand() *cobra.Command {
	return a.counterCommand("dec KEY", "Subtract from a number and print what is left; an absent key starts at 0", (*cache.Cache).Dec)
}

type count func(c *cache.Cache, ctx context.Context, key string, delta int64, options ...cache.SetOption) (int64, error)

func (a *app) counterCommand(use, short string, change count) *cobra.Command {
	var (
		by   int64
		life timeout
	)
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Long:  short + ".\nA key that is there keeps its expiry; --timeout is the life of a new one.",
		Args:  cobra.ExactArgs(1),
	}
	cmd.Flags().Int64Var(&by, "by", 1, "how `MUCH`")
	life.addTo(cmd)
	cmd.RunE = a.withCache(func(ctx context.Context, c *cache.Cache, args []string) error {
		n, err := change(c, ctx, args[0], by, life.options()...)
		if err != nil {
			return err
		}
		return a.answer(true, object{"key": args[0], "value": n}, []byte(strconv.FormatInt(n, 10)+"\n"))
	})
	return cmd
}
