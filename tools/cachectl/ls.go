package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/spf13/cobra"
)

type lsFlags struct {
	sort    string
	reverse bool
	limit   int
	keys    bool
	null    bool
	size    byteCount
}

func (a *app) lsCommand() *cobra.Command {
	var flags lsFlags
	cmd := &cobra.Command{
		Use:   "ls [PREFIX]",
		Short: "List entries with their remaining TTL and size",
		Long: `List the entries whose key begins with PREFIX: remaining TTL, bytes of the value and
key. A line is printed as soon as the backend returns the entry, in no order. A key that
does not fit in a line is quoted as in Go.

--sort holds all entries in memory first; with --limit as well, only that many. With
--json each entry is one line.`,
		Example: `  cachectl ls user:
  cachectl ls --sort size --reverse --limit 10 --human
  cachectl ls --null session: | xargs -0 cachectl delete`,
	}
	addPrefixArg(cmd)
	f := cmd.Flags()
	f.StringVarP(&flags.sort, "sort", "s", "", "sort by `FIELD`: key, ttl or size")
	f.BoolVarP(&flags.reverse, "reverse", "r", false, "sort from the largest; never expires is the largest TTL")
	f.IntVarP(&flags.limit, "limit", "n", 0, "print at most `N` entries")
	f.BoolVarP(&flags.keys, "keys", "k", false, "print keys only")
	f.BoolVarP(&flags.null, "null", "0", false, "print keys only, unquoted, with a NUL byte after each, for xargs -0")
	flags.size.addTo(cmd)
	cmd.RegisterFlagCompletionFunc("sort", cobra.FixedCompletions([]string{"key", "ttl", "size"}, cobra.ShellCompDirectiveNoFileComp))
	list := a.withCache(interruptible(func(ctx context.Context, c *cache.Cache, args []string) error {
		return a.ls(ctx, c, optionalPrefix(args), flags)
	}))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := flags.check(a.json); err != nil {
			return err
		}
		return list(cmd, args)
	}
	return cmd
}

func (flags lsFlags) check(json bool) error {
	switch {
	case flags.sort != "" && orders[flags.sort] == nil:
		return usagef("--sort %q: want key, ttl or size", flags.sort)
	case flags.reverse && flags.sort == "":
		return usagef("--reverse has no effect without --sort")
	case flags.limit < 0:
		return usagef("--limit %d is negative", flags.limit)
	case flags.null && json:
		return usagef("both --null and --json: give only one")
	}
	return nil
}

var orders = map[string]func(a, b driver.Entry) int{
	"key":  func(a, b driver.Entry) int { return cmp.Compare(a.Key, b.Key) },
	"ttl":  func(a, b driver.Entry) int { return cmp.Compare(uint64(a.TTL-1), uint64(b.TTL-1)) }, // 0 is the largest
	"size": func(a, b driver.Entry) int { return cmp.Compare(a.Size, b.Size) },
}

func (a *app) ls(ctx context.Context, c *cache.Cache, prefix string, flags lsFlags) error {
	out := &lsOutput{flags: flags, json: a.json, w: bufio.NewWriter(a.stdout), prompt: isTerminal(a.stdout)}
	if out.prompt && !flags.keys && !flags.null && !a.json {
		fmt.Fprintf(out.w, "%10s  %10s  %s\n", "TTL", "SIZE", "KEY")
	}
	err := flags.each(scan(ctx, c, prefix), out.print)
	if flushing := out.w.Flush(); err == nil {
		err = flushing
	}
	return err
}

// each calls do for the entries of the list that the flags select, in their order.
func (flags lsFlags) each(entries func(func(driver.Entry, error) bool), do func(driver.Entry) error) error {
	if flags.sort == "" {
		count := 0
		for entry, err := range entries {
			if err != nil {
				return err
			}
			if err := do(entry); err != nil {
				return err
			}
			if count++; count == flags.limit {
				return nil
			}
		}
		return nil
	}
	order := orders[flags.sort]
	if flags.reverse {
		forward := order
		order = func(a, b driver.Entry) int { return forward(b, a) }
	}
	var kept []driver.Entry
	for entry, err := range entries {
		if err != nil {
			return err
		}
		kept = append(kept, entry)
		if flags.limit > 0 && len(kept) >= 2*flags.limit+1000 { // sorted seldom, memory bounded
			slices.SortFunc(kept, order)
			kept = kept[:flags.limit]
		}
	}
	slices.SortFunc(kept, order)
	if flags.limit > 0 && len(kept) > flags.limit {
		kept = kept[:flags.limit]
	}
	for _, entry := range kept {
		if err := do(entry); err != nil {
			return err
		}
	}
	return nil
}

// lsOutput prints entries in the form that the flags select.
type lsOutput struct {
	flags  lsFlags
	json   bool
	w      *bufio.Writer
	prompt bool // a person watches: do not wait for a full buffer
}

func (out *lsOutput) print(entry driver.Entry) (err error) {
	switch {
	case out.json:
		_, err = out.w.Write(entryFields(entry).encode())
	case out.flags.null:
		_, err = io.WriteString(out.w, entry.Key+"\x00")
	case out.flags.keys:
		_, err = fmt.Fprintln(out.w, shown(entry.Key))
	default:
		_, err = fmt.Fprintf(out.w, "%10s  %10s  %s\n", shownTTL(entry.TTL), out.flags.size.text(entry.Size), shown(entry.Key))
	}
	if out.prompt && err == nil {
		err = out.w.Flush()
	}
	return err
}

// entryFields is an entry in JSON; warm reads it back.
func entryFields(entry driver.Entry) object {
	fields := object{"expires": entry.TTL != 0}
	fields.bytes("key", []byte(entry.Key))
	if entry.TTL != 0 {
		fields["ttl_seconds"] = entry.TTL.Seconds()
	}
	if entry.Size >= 0 {
		fields["size"] = entry.Size
	}
	return fields
}
