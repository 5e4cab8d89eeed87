package main

import (
	"bufio"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

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
	cmd.Flags().BoolVarP(&newline, "newline", "n", false, "append a newline to the value")
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
		return a.result(ok, fields, value)
	})
	return cmd
}

func (a *app) setCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "set KEY [VALUE | -]",
		Short: "Store a value",
		Example: `  cachectl set greeting hello --timeout 10m
  cachectl set logo --file logo.png
  date | cachectl set now -`,
	}
	return a.storeCommand(cmd, func(ctx context.Context, c *cache.Cache, key string, value []byte, options ...cache.SetOption) error {
		if err := c.Set(ctx, key, value, options...); err != nil {
			return err
		}
		return a.result(true, object{"key": key, "stored": true}, nil)
	})
}

func (a *app) addCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "add KEY [VALUE | -]",
		Short:   "Store a value if the key is absent; exit status 1 if it is present",
		Example: "  cachectl add nightly.lock $$ --timeout 1h && ./nightly",
	}
	return a.storeCommand(cmd, func(ctx context.Context, c *cache.Cache, key string, value []byte, options ...cache.SetOption) error {
		added, err := c.Add(ctx, key, value, options...)
		if err != nil {
			return err
		}
		return a.result(added, object{"key": key, "added": added}, nil)
	})
}

type store func(ctx context.Context, c *cache.Cache, key string, value []byte, options ...cache.SetOption) error

// storeCommand completes cmd with the arguments and flags for a value.
func (a *app) storeCommand(cmd *cobra.Command, do store) *cobra.Command {
	var (
		in  input
		ttl timeout
	)
	cmd.Args = cobra.RangeArgs(1, 2)
	in.addTo(cmd)
	ttl.addTo(cmd)
	cmd.RunE = a.withCache(func(ctx context.Context, c *cache.Cache, args []string) error {
		value, err := in.value(a, args)
		if err != nil {
			return err
		}
		return do(ctx, c, args[0], value, ttl.options()...)
	})
	return cmd
}

func (a *app) hasCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "has KEY",
		Short:   "Exit with status 0 if a key is present, 1 if it is absent",
		Example: "  if cachectl has greeting; then ...",
		Args:    cobra.ExactArgs(1),
		RunE: a.withCache(func(ctx context.Context, c *cache.Cache, args []string) error {
			ok, err := c.Has(ctx, args[0])
			if err != nil {
				return err
			}
			return a.result(ok, object{"key": args[0], "hit": ok}, nil)
		}),
	}
}

func (a *app) ttlCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "ttl KEY",
		Short:   "Print the remaining TTL of a key, as 4m59.871s or never",
		Example: "  cachectl ttl greeting",
		Args:    cobra.ExactArgs(1),
		RunE: a.withCache(func(ctx context.Context, c *cache.Cache, args []string) error {
			ttl, ok, err := c.TTL(ctx, args[0])
			if err != nil {
				return err
			}
			fields := object{"key": args[0], "hit": ok}
			if !ok {
				return a.result(false, fields, nil)
			}
			fields["expires"] = ttl != 0
			if ttl == 0 {
				return a.result(true, fields, []byte("never\n"))
			}
			fields["ttl_seconds"] = ttl.Seconds()
			return a.result(true, fields, []byte(ttl.Round(time.Millisecond).String()+"\n"))
		}),
	}
}

func (a *app) incCommand() *cobra.Command {
	return a.counterCommand("inc KEY", "Add to a counter and print the sum; an absent key counts as 0", (*cache.Cache).Inc)
}

func (a *app) decCommand() *cobra.Command {
	return a.counterCommand("dec KEY", "Subtract from a counter and print the result; an absent key counts as 0", (*cache.Cache).Dec)
}

type count func(c *cache.Cache, ctx context.Context, key string, delta int64, options ...cache.SetOption) (int64, error)

func (a *app) counterCommand(use, short string, do count) *cobra.Command {
	var (
		by  int64
		ttl timeout
	)
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Long:  short + ".\nA present key keeps its expiry; --timeout applies to a new one.",
		Args:  cobra.ExactArgs(1),
	}
	cmd.Flags().Int64Var(&by, "by", 1, "`AMOUNT` to add or subtract")
	ttl.addTo(cmd)
	cmd.RunE = a.withCache(func(ctx context.Context, c *cache.Cache, args []string) error {
		n, err := do(c, ctx, args[0], by, ttl.options()...)
		if err != nil {
			return err
		}
		return a.result(true, object{"key": args[0], "value": n}, []byte(strconv.FormatInt(n, 10)+"\n"))
	})
	return cmd
}

func (a *app) clearCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "clear",
		Short: "Remove every entry under CACHE_KEY_PREFIX or, after confirmation, of the store",
		Args:  cobra.NoArgs,
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask for confirmation if CACHE_KEY_PREFIX is not set")
	cmd.RunE = a.withCache(func(ctx context.Context, c *cache.Cache, _ []string) error {
		if c.Prefix() == "" && !yes && !a.confirmed(c.Name()) {
			return usagef("not confirmed, nothing was removed (--yes confirms)")
		}
		if err := c.Clear(ctx); err != nil {
			return err
		}
		return a.result(true, object{"cleared": true}, nil)
	})
	return cmd
}

func (a *app) confirmed(backend string) bool {
	fmt.Fprintf(a.stderr, "CACHE_KEY_PREFIX is not set: remove every entry of the %s store? [y/N] ", backend)
	reply, _ := bufio.NewReader(a.stdin).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(reply)) {
	case "y", "yes":
		return true
	}
	return false
}
