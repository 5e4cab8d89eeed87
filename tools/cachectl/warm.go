package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/spf13/cobra"
)

type warmFlags struct {
	transferFlags
	in     input
	from   string
	ttl    timeout
	verify bool
}

func (a *app) warmCommand() *cobra.Command {
	flags := warmFlags{in: input{file: "-"}}
	cmd := &cobra.Command{
		Use:   "warm",
		Short: "Store entries from lines of keys and values, at a limited rate",
		Long: `Store entries from the lines of stdin or a file, while they are read. A line is

  KEY<TAB>VALUE                a key or value in "quotes" is read as in Go
  {"key": "k", "value": "v"}   with "ttl_seconds" if the line has a TTL of its own; instead
                               of text, "key_base64" and "value_base64" are any bytes
  KEY, or {"key": "k"}         with --from: the value and TTL are those of another store

Lines of "cachectl ls --json" are of the last kind. An invalid line is counted as failed.`,
		Example: `  ./render-pages | cachectl warm --timeout 1h --rate 200
  cachectl --config old.json ls --keys user: | cachectl --config new.json warm --from old.json`,
		Args: cobra.NoArgs,
	}
	flags.in.addTo(cmd)
	flags.ttl.addTo(cmd)
	f := cmd.Flags()
	f.StringVar(&flags.from, "from", "", "`STORE` of the values of lines that have only a key, named as for copy")
	f.BoolVar(&flags.verify, "verify", false, "read each batch back and compare values and TTLs")
	flags.addRate(cmd)
	flags.addKeep(cmd)
	cmd.MarkFlagFilename("from", "json")
	warm := a.withStore(func(ctx context.Context, s *entryStore, _ []string) error {
		t := a.newTransfer("stored", -1)
		err := restoreFlags{in: flags.in}.open(a, func(in io.Reader) error { return t.warm(ctx, s, in, flags) })
		return t.end(err)
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := flags.check(); err != nil {
			return err
		}
		return warm(cmd, args)
	}
	return cmd
}

func (t *transfer) warm(ctx context.Context, to *entryStore, in io.Reader, flags warmFlags) error {
	values := batcher{limit: flags.limiter(), put: func(records []record) error {
		return t.store(ctx, to, records, !flags.keep, flags.verify)
	}}
	keys := values // those without a value
	if flags.from != "" {
		from, err := t.app.openNamed(ctx, flags.from)
		if err != nil {
			return err
		}
		defer from.cache.Close()
		keys.put = func(records []record) error {
			found, err := t.fetch(ctx, from, records)
			if err != nil {
				return err
			}
			return values.put(found)
		}
	}
	lines := bufio.NewReader(in)
	for number := 1; ; number++ {
		line, err := lines.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return err
		}
		end := err == io.EOF
		if line = bytes.TrimRight(line, "\r\n"); len(line) > 0 {
			r, hasValue, err := parseWarmLine(line, flags.ttl)
			batch := &values
			if err == nil && !hasValue {
				batch = &keys
				if flags.from == "" {
					err = errors.New("no value: want KEY<TAB>VALUE, or --from for the values of keys")
				}
			}
			if err != nil {
				t.fail(fmt.Sprintf("line %d", number), err)
			} else if err := batch.add(ctx, r); err != nil {
				return err
			}
		}
		if end {
			break
		}
	}
	return errors.Join(values.flush(ctx), keys.flush(ctx))
}

// fetch returns the records of keys in another store.
func (t *transfer) fetch(ctx context.Context, from *entryStore, keys []record) ([]record, error) {
	entries := make([]driver.Entry, len(keys))
	for i, r := range keys {
		entries[i] = driver.Entry{Key: r.key, TTL: -1}
	}
	failed := t.failed
	found, err := from.read(ctx, entries, t.fail)
	if err == nil {
		t.absent += int64(len(keys)-len(found)) - (t.failed - failed)
	}
	return found, err
}

// warmLine is a line of JSON.
type warmLine struct {
	Key         *string  `json:"key"`
	KeyBase64   []byte   `json:"key_base64"`
	Value       *string  `json:"value"`
	ValueBase64 []byte   `json:"value_base64"`
	TTL         *float64 `json:"ttl_seconds"`
	Expires     *bool    `json:"expires"`
}

// parseWarmLine never puts the line into its error: it may be a secret.
func parseWarmLine(line []byte, ttl timeout) (r record, hasValue bool, err error) {
	r.unknown = !ttl.given // so that the default of the store applies
	if ttl.given && ttl.ttl > 0 {
		r.expires = time.Now().Add(ttl.ttl)
	}
	if line[0] != '{' {
		key, value, found, err := parsePair(string(line), "\t")
		r.key, r.value = key, []byte(value)
		return r, found, err
	}
	var fields warmLine
	if err := json.Unmarshal(line, &fields); err != nil {
		return r, false, errors.New("malformed JSON")
	}
	switch {
	case fields.Key != nil:
		r.key = *fields.Key
	case fields.KeyBase64 != nil:
		r.key = string(fields.KeyBase64)
	default:
		return r, false, errors.New(`no "key"`)
	}
	switch {
	case fields.Value != nil:
		r.value = []byte(*fields.Value)
	case fields.ValueBase64 != nil:
		r.value = fields.ValueBase64
	}
	if fields.TTL != nil {
		if !(*fields.TTL > 0 && *fields.TTL < 1e9) {
			return r, false, errors.New(`"ttl_seconds" is not between 0 and 1e9`)
		}
		r.unknown = false
		r.expires = time.Now().Add(time.Duration(*fields.TTL * float64(time.Second)))
	} else if fields.Expires != nil && !*fields.Expires {
		r.unknown, r.expires = false, time.Time{}
	}
	return r, r.value != nil, nil
}
