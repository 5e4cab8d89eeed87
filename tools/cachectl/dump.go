package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
)

func (a *app) dumpCommand() *cobra.Command {
	var (
		flags transferFlags
		file  string
	)
	cmd := &cobra.Command{
		Use:   "dump [PREFIX]",
		Short: "Write entries with their expiry to a file that restore reads",
		Long: `Write the entries whose key begins with PREFIX to stdout or a file, with the times at
which they expire. Keys are without CACHE_KEY_PREFIX. The file has checksums and an end
mark, so that restore detects damage and truncation; its format is described in
dump-format.md of the sources. A dump contains every cached value: keep it as secret as
they are. --file replaces FILE only when the dump is complete, readable by the user alone.
A dump to stdout leaves out entries that cannot be read; with --file they are an error.`,
		Example: `  cachectl dump --file cache.dump
  cachectl dump session: | zstd > sessions.dump.zst`,
	}
	addPrefixArg(cmd)
	cmd.Flags().StringVarP(&file, "file", "f", "-", "write to `FILE`, or to stdout if it is -")
	flags.addRate(cmd)
	dump := a.withStore(func(ctx context.Context, s *entryStore, args []string) error {
		prefix := optionalPrefix(args)
		t := a.newTransfer("dumped", entriesOf(ctx, s, prefix))
		if file == "-" {
			t.out = a.stderr
			return t.end(t.dump(ctx, s, a.stdout, prefix, flags))
		}
		return t.end(replaceFile(file, func(w io.Writer) error {
			err := t.dump(ctx, s, w, prefix, flags)
			if err == nil && t.failed > 0 {
				err = fmt.Errorf("%s failed: %s was not written; a dump to stdout has the others", countOf(t.failed), file)
			}
			return err
		}))
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := flags.check(); err != nil {
			return err
		}
		if file == "-" && isTerminal(a.stdout) {
			return usagef("a dump is binary: redirect stdout, or use --file")
		}
		return dump(cmd, args)
	}
	return cmd
}

var errUnknownTTL = errors.New("the store does not return its remaining TTL")

func (t *transfer) dump(ctx context.Context, s *entryStore, w io.Writer, prefix string, flags transferFlags) error {
	out, err := newDumpWriter(w, dumpHeader{Created: time.Now().UTC().Truncate(time.Millisecond), Backend: s.cache.Name(), Prefix: prefix})
	if err != nil {
		return err
	}
	limit := flags.limiter()
	for batch, err := range s.keys(ctx, prefix, limit.Burst(), func(string) bool { return false }) {
		if err != nil {
			return err
		}
		if err := limit.WaitN(ctx, len(batch)); err != nil {
			return err
		}
		records, err := s.read(ctx, batch, t.fail)
		if err != nil {
			return err
		}
		results := make([]written, len(records))
		for i, r := range records {
			if r.unknown {
				results[i] = isFailed
				t.fail(r.key, errUnknownTTL)
				continue
			}
			if err := out.entry(r); err != nil {
				return err
			}
		}
		t.count(records, results)
	}
	return out.close()
}

// replaceFile replaces the file name by what write writes, if it succeeds.
func replaceFile(name string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*") // mode 0600
	if err != nil {
		return usagef("--file: %w", err)
	}
	err = write(f)
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
