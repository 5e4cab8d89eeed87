package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/spf13/cobra"
)

type copyFlags struct {
	transferFlags
	prefix string
	verify bool
	state  string
}

func (a *app) copyCommand() *cobra.Command {
	var flags copyFlags
	cmd := &cobra.Command{
		Use:   "copy FROM TO",
		Short: "Copy the entries of one store to another, with their TTLs",
		Long: `Copy the entries of one store to another, of any kind, with their remaining TTLs. FROM
and TO are JSON files of CACHE_* settings; env for the environment; or env:OLD_ for
variables such as OLD_CACHE_TYPE. Keys are copied without CACHE_KEY_PREFIX of FROM and
stored with that of TO.

Entries that change during the copy are copied in one of their versions or not at all: run
copy again after the writers have moved to TO, with --keep-existing.

With --state FILE a copy that was interrupted continues: FILE records a hash of each key
that was copied, 16 bytes each, and is removed at the end. The exit status is 3 if an entry
could not be copied or verified.`,
		Example: `  cachectl copy old.json new.json --verify
  cachectl copy env:OLD_ env:NEW_ --rate 500 --state copy.state
  cachectl copy filesystem.json env --prefix session:`,
		Args: cobra.ExactArgs(2),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return []string{"json"}, cobra.ShellCompDirectiveFilterFileExt
		},
	}
	f := cmd.Flags()
	f.StringVarP(&flags.prefix, "prefix", "p", "", "copy only keys that begin with `PREFIX`")
	f.BoolVar(&flags.verify, "verify", false, "read each batch back and compare values and TTLs")
	f.StringVar(&flags.state, "state", "", "`FILE` that records progress, to continue an interrupted copy")
	flags.addRate(cmd)
	flags.addKeep(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := flags.check(); err != nil {
			return err
		}
		return a.copy(cmd.Context(), args[0], args[1], flags)
	}
	return cmd
}

func (a *app) copy(ctx context.Context, fromName, toName string, flags copyFlags) error {
	from, err := a.openNamed(ctx, fromName)
	if err != nil {
		return err
	}
	to, err := a.openNamed(ctx, toName)
	if err != nil {
		return from.close(err)
	}
	if from.settings == to.settings { // writers would lose what they store between a read and its write
		return to.close(from.close(usagef("FROM and TO are the same store")))
	}
	err = untilSignal(ctx, func(ctx context.Context) error { return a.copyEntries(ctx, from, to, flags) })
	return to.close(from.close(err))
}

func (a *app) copyEntries(ctx context.Context, from, to *entryStore, flags copyFlags) error {
	state, err := openCopyState(flags.state, fmt.Sprintf("%q %q %q", from.settings, to.settings, flags.prefix))
	if err != nil {
		return err
	}
	t := a.newTransfer("copied", entriesOf(ctx, from, flags.prefix))
	err = t.copy(ctx, from, to, flags, state)
	if closing := state.close(err == nil && t.failed == 0); err == nil {
		err = closing
	}
	if err != nil && flags.state != "" {
		err = fmt.Errorf("%w; run the same command again to continue", err)
	}
	return t.end(err)
}

func (t *transfer) copy(ctx context.Context, from, to *entryStore, flags copyFlags, state *copyState) error {
	limit := flags.limiter()
	copied := func(key string) bool {
		if !state.has(key) {
			return false
		}
		t.resumed++
		t.progress.add(1)
		return true
	}
	for batch, err := range from.keys(ctx, flags.prefix, limit.Burst(), copied) {
		if err != nil {
			return from.wrap(err)
		}
		if err := limit.WaitN(ctx, len(batch)); err != nil {
			return err
		}
		records, err := from.read(ctx, batch, t.fail)
		if err != nil {
			return err
		}
		results, err := t.put(ctx, to, records, !flags.keep)
		if err != nil {
			return err
		}
		if flags.verify {
			if err := t.verify(ctx, to, records, results); err != nil {
				return err
			}
		}
		if err := state.add(records, results); err != nil {
			return err
		}
	}
	return nil
}

// maxRounding is how much longer than requested a store may keep an entry: memcached
// counts in seconds.
const maxRounding = 5 * time.Second

// verify reads the records back that were stored and compares them. Those that differ
// become isFailed.
func (t *transfer) verify(ctx context.Context, to *entryStore, records []record, results []written) error {
	var entries []driver.Entry
	for i, r := range records {
		if results[i] == isStored {
			entries = append(entries, driver.Entry{Key: r.key, TTL: -1}) // unless the store returns it
		}
	}
	found, unread := make(map[string]record, len(entries)), make(map[string]error)
	read, err := to.read(ctx, entries, func(key string, err error) { unread[key] = err })
	if err != nil {
		return err
	}
	for _, r := range read {
		found[r.key] = r
	}
	for i, r := range records {
		if results[i] != isStored {
			continue
		}
		err := unread[r.key]
		if err == nil {
			back, ok := found[r.key]
			err = compare(r, back, ok)
		}
		if err != nil {
			results[i] = isFailed
			t.fail(r.key, err)
			continue
		}
		t.verified++
	}
	return nil
}

// compare returns what differs between a record and what was read back.
func compare(want, got record, ok bool) error {
	switch {
	case !ok && !want.expires.IsZero() && !time.Now().Before(want.expires):
		return nil // it has expired meanwhile
	case !ok:
		return errors.New("verification: absent from the destination: evicted or deleted meanwhile")
	case !bytes.Equal(want.value, got.value):
		return errors.New("verification: another value in the destination")
	case got.unknown || want.unknown:
		return nil
	case want.expires.IsZero() != got.expires.IsZero():
		return errors.New("verification: expires in one of the stores only")
	case !want.expires.IsZero() && (got.expires.Before(want.expires.Add(-maxRounding)) || got.expires.After(want.expires.Add(maxRounding))):
		return fmt.Errorf("verification: expires %v apart", got.expires.Sub(want.expires).Round(time.Millisecond))
	}
	return nil
}
