package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
)

type restoreFlags struct {
	transferFlags
	in       input
	check    bool
	verify   bool
	resetTTL bool
}

func (a *app) restoreCommand() *cobra.Command {
	flags := restoreFlags{in: input{file: "-"}}
	cmd := &cobra.Command{
		Use:   "restore",
		Short: "Store the entries of a dump",
		Long: `Store the entries of a dump, under CACHE_KEY_PREFIX. They expire when they would have
expired without the dump; those that have expired meanwhile are left out. --reset-ttl gives
them the TTL that they had at the time of the dump.

A damaged or truncated dump is an error. A file is checked as a whole before its first
entry is stored; stdin is stored as it is read.`,
		Example: `  cachectl restore --file cache.dump
  zstd -dc sessions.dump.zst | cachectl restore --keep-existing
  cachectl restore --check --file cache.dump`,
		Args: cobra.NoArgs,
	}
	flags.in.addTo(cmd)
	f := cmd.Flags()
	f.BoolVar(&flags.check, "check", false, "check the dump and store nothing")
	f.BoolVar(&flags.verify, "verify", false, "read each batch back and compare values and TTLs")
	f.BoolVar(&flags.resetTTL, "reset-ttl", false, "count TTLs from now on, as if no time had passed since the dump")
	flags.addRate(cmd)
	flags.addKeep(cmd)
	restore := a.withStore(func(ctx context.Context, s *entryStore, _ []string) error {
		t := a.newTransfer("restored", -1)
		return t.end(flags.open(a, func(in io.Reader) error { return t.restore(ctx, s, in, flags) }))
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := flags.transferFlags.check(); err != nil {
			return err
		}
		if flags.check || flags.in.file != "-" {
			entries, err := flags.checkDump(a)
			if err != nil {
				return err
			}
			if flags.check {
				return a.result(true, object{"entries": entries, "ok": true}, fmt.Appendf(nil, "complete and undamaged, %d entries\n", entries))
			}
		}
		return restore(cmd, args)
	}
	return cmd
}

// open calls do with the input.
func (flags restoreFlags) open(a *app, do func(io.Reader) error) error {
	if flags.in.file == "-" {
		return do(a.stdin)
	}
	f, err := os.Open(flags.in.file)
	if err != nil {
		return usagef("--file: %w", err)
	}
	defer f.Close()
	return do(f)
}

// checkDump reads the whole dump and returns the number of its entries.
func (flags restoreFlags) checkDump(a *app) (entries int, err error) {
	err = flags.open(a, func(in io.Reader) error {
		dump, err := newDumpReader(in)
		if err != nil {
			return err
		}
		for {
			if _, err := dump.next(); err == io.EOF {
				return nil
			} else if err != nil {
				return err
			}
			entries++
		}
	})
	return entries, err
}

func (t *transfer) restore(ctx context.Context, s *entryStore, in io.Reader, flags restoreFlags) error {
	dump, err := newDumpReader(in)
	if err != nil {
		return err
	}
	shift := time.Duration(0)
	if flags.resetTTL {
		shift = max(0, time.Since(dump.header.Created))
	}
	batch := batcher{put: func(records []record) error { return t.store(ctx, s, records, !flags.keep, flags.verify) }, limit: flags.limiter()}
	for {
		r, err := dump.next()
		if err == io.EOF {
			return batch.flush(ctx)
		}
		if err != nil {
			if flushing := batch.flush(ctx); flushing != nil {
				return flushing
			}
			return fmt.Errorf("%w; the entries before that were restored", err)
		}
		if !r.expires.IsZero() {
			r.expires = r.expires.Add(shift)
		}
		if err := batch.add(ctx, r); err != nil {
			return err
		}
	}
}
