package main

import (
	"context"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/spf13/cobra"
)

func (a *app) ttlCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "ttl KEY",
		Short:   "Print how long a key has to live, as 4m59.871s or never",
		Example: "  cachectl ttl greeting",
		Args:    cobra.ExactArgs(1),
		RunE: a.withCache(func(ctx context.Context, c *cache.Cache, args []string) error {
			life, ok, err := c.TTL(ctx, args[0])
			if err != nil {
				return err
			}
			fields := object{"key": args[0], "hit": ok}
			switch {
			case !ok:
				return a.answer(false, fields, nil)
			case life == 0:
				fields["expires"] = false
				return a.answer(true, fields, []byte("never\n"))
			}
			fields["expires"] = true
			fields["ttl_seconds"] = life.Seconds()
			return a.answer(true, fields, []byte(life.Round(time.Millisecond).String()+"\n"))
		}),
	}
}
