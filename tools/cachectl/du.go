package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/spf13/cobra"
)

type duFlags struct {
	separator string
	depth     int
	groups    int
	size      byteCount
}

func (a *app) duCommand() *cobra.Command {
	var flags duFlags
	cmd := &cobra.Command{
		Use:   "du [PREFIX]",
		Short: "Sum up bytes and entries by the prefix of their keys",
		Long: `Sum up the entries whose key begins with PREFIX, by the part of the key up to the first
separator after PREFIX, or with --depth N the Nth. The columns are the bytes of the values,
the number of entries, the number of those that never expire, and the prefix, from the
largest to the smallest. "?" means that the store does not return sizes.

Memory is bounded: sums are kept for the first --groups prefixes, and the entries of
further ones are summed up as "(others)". With --json each prefix is one line.`,
		Example: `  cachectl du --human
  cachectl du user: --separator / --depth 2`,
	}
	addPrefixArg(cmd)
	f := cmd.Flags()
	f.StringVarP(&flags.separator, "separator", "s", ":", "`TEXT` that separates the parts of a key")
	f.IntVarP(&flags.depth, "depth", "d", 1, "number of parts after PREFIX; 0 prints the total only")
	f.IntVar(&flags.groups, "groups", 1000, "maximum number of prefixes")
	flags.size.addTo(cmd)
	sum := a.withCache(interruptible(func(ctx context.Context, c *cache.Cache, args []string) error {
		return a.du(ctx, c, optionalPrefix(args), flags)
	}))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case flags.separator == "":
			return usagef("--separator is empty")
		case flags.depth < 0:
			return usagef("--depth %d is negative", flags.depth)
		case flags.groups < 1:
			return usagef("--groups %d is not positive", flags.groups)
		}
		return sum(cmd, args)
	}
	return cmd
}

func (a *app) du(ctx context.Context, c *cache.Cache, prefix string, flags duFlags) error {
	sums := newUsage(prefix, flags.separator, flags.depth, flags.groups)
	for entry, err := range scan(ctx, c, prefix) {
		if err != nil {
			return err
		}
		sums.add(entry)
	}
	_, err := a.stdout.Write(sums.report(a.json, flags.size))
	return err
}

// usage sums up entries by the prefix of their keys, in bounded memory.
type usage struct {
	prefix, separator string
	depth, maxGroups  int
	groups            map[string]*sum
	others            sum // of the prefixes beyond maxGroups
	total             sum
}

type sum struct {
	name       string
	entries    int64
	bytes      int64
	unknown    int64 // entries of unknown size
	withoutTTL int64
}

func newUsage(prefix, separator string, depth, maxGroups int) *usage {
	return &usage{prefix: prefix, separator: separator, depth: depth, maxGroups: maxGroups,
		groups: make(map[string]*sum), others: sum{name: "(others)"}, total: sum{name: "total"}}
}

func (u *usage) add(entry driver.Entry) {
	u.total.add(entry)
	if u.depth == 0 {
		return
	}
	name := groupOf(entry.Key, u.prefix, u.separator, u.depth)
	group := u.groups[name]
	switch {
	case group != nil:
	case len(u.groups) == u.maxGroups:
		group = &u.others
	default:
		name = strings.Clone(name) // does not keep the whole key
		group = &sum{name: name}
		u.groups[name] = group
	}
	group.add(entry)
}

func (s *sum) add(entry driver.Entry) {
	s.entries++
	if entry.Size < 0 {
		s.unknown++
	} else {
		s.bytes += entry.Size
	}
	if entry.TTL == 0 {
		s.withoutTTL++
	}
}

// groupOf returns key up to the separator at depth after prefix, or the last separator
// before that.
func groupOf(key, prefix, separator string, depth int) string {
	end := len(prefix)
	for range depth {
		at := strings.Index(key[end:], separator)
		if at < 0 {
			break
		}
		end += at + len(separator)
	}
	return key[:end]
}

// largest returns the sums by prefix, the largest first.
func (u *usage) largest() []sum {
	var list []sum
	for _, group := range u.groups {
		list = append(list, *group)
	}
	slices.SortFunc(list, func(a, b sum) int {
		return cmp.Or(cmp.Compare(b.bytes, a.bytes), cmp.Compare(b.entries, a.entries), cmp.Compare(a.name, b.name))
	})
	return list
}

func (u *usage) report(json bool, size byteCount) []byte {
	var text bytes.Buffer
	line := func(s sum, name string, kind string) {
		if json {
			text.Write(s.fields(kind).encode())
			return
		}
		fmt.Fprintf(&text, "%12s %10d %10d  %s\n", size.text(s.known()), s.entries, s.withoutTTL, name)
	}
	if !json {
		fmt.Fprintf(&text, "%12s %10s %10s  %s\n", "BYTES", "ENTRIES", "NEVER", "PREFIX")
	}
	for _, s := range u.largest() {
		name := shown(s.name)
		if s.name == "" || s.name == u.prefix {
			name = strconv.Quote(s.name) // keys without a separator
		}
		line(s, name, "prefix")
	}
	if u.others.entries > 0 {
		line(u.others, u.others.name, "others")
	}
	line(u.total, u.total.name, "total")
	return text.Bytes()
}

// known returns the bytes, -1 if no size is known.
func (s sum) known() int64 {
	if s.unknown == s.entries && s.entries > 0 {
		return -1
	}
	return s.bytes
}

func (s sum) fields(kind string) object {
	fields := object{"kind": kind, "entries": s.entries, "without_ttl": s.withoutTTL}
	if kind == "prefix" {
		fields.bytes("prefix", []byte(s.name))
	}
	if bytes := s.known(); bytes >= 0 {
		fields["bytes"] = bytes
	}
	if s.unknown > 0 {
		fields["unknown_sizes"] = s.unknown
	}
	return fields
}
