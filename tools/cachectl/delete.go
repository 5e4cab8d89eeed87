package main

import (
	"context"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/spf13/cobra"
)

func (a *app) deleteCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "delete KEY...",
		Short:   "Remove keys; exit status 1 where one was not there",
		Example: "  cachectl delete greeting logo",
		Args:    cobra.MinimumNArgs(1),
		RunE: a.withCache(func(ctx context.Context, c *cache.Cache, args []string) error {
			deleted, err := c.DeleteMany(ctx, args...)
			if err != nil {
				return err
			}
			there := make(map[string]bool, len(deleted))
			for _, key := range deleted {
				there[key] = true
			}
			missing := []string{}
			for _, key := range args {
				if !there[key] {
					missing = append(missing, key)
				}
			}
			fields := object{"deleted": append([]string{}, deleted...), "missing": missing}
			return a.answer(len(missing) == 0, fields, nil)
		}),
	}
}
