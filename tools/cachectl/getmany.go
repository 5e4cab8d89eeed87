package main

import (
	"context"
	"unicode/utf8"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/spf13/cobra"
)

func (a *app) getManyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "get-many KEY...",
		Short: "Print several entries as KEY=VALUE lines; exit status 1 where one is missing",
		Long: `Print the entries that are there, one KEY=VALUE line each, in the order asked.
A key or value that would not fit a line is quoted as in Go; set-many reads it back.
The exit status is 1 where one is missing.`,
		Example: "  cachectl get-many a b | cachectl --config other.json set-many",
		Args:    cobra.MinimumNArgs(1),
		RunE: a.withCache(func(ctx context.Context, c *cache.Cache, args []string) error {
			results, err := c.GetMany(ctx, args...)
			if err != nil {
				return err
			}
			var (
				lines   []byte
				texts   = make(map[string]string)
				binary  = make(map[string][]byte)
				missing = []string{}
			)
			for i, key := range args {
				value := results[i].Value
				switch {
				case !results[i].OK:
					missing = append(missing, key)
					continue
				case utf8.Valid(value):
					texts[key] = string(value)
				default:
					binary[key] = value
				}
				lines = appendLine(lines, key, value)
			}
			fields := object{"values": texts, "values_base64": binary, "missing": missing}
			return a.answer(len(missing) == 0, fields, lines)
		}),
	}
}
