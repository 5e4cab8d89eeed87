package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/spf13/cobra"
	"golang.org/x/time/rate"
)

// transferFlags are the flags of the commands that move entries.
type transferFlags struct {
	rate float64 // entries per second; 0 without a limit
	keep bool    // entries that are present
}

func (flags *transferFlags) addRate(cmd *cobra.Command) {
	cmd.Flags().Float64Var(&flags.rate, "rate", 0, "maximum `ENTRIES` per second (default no limit)")
}

func (flags *transferFlags) addKeep(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&flags.keep, "keep-existing", false, "do not replace entries that are present")
}

func (flags *transferFlags) check() error {
	if !(flags.rate >= 0) || math.IsInf(flags.rate, 0) {
		return usagef("--rate %v is not a number of entries per second", flags.rate)
	}
	return nil
}

// batch returns how many entries are moved at a time: fewer at a low rate, so that they
// are spread over time.
func (flags *transferFlags) batch() int {
	if flags.rate == 0 {
		return maxBatch
	}
	return int(min(max(1, flags.rate/5), maxBatch))
}

// limiter admits batches at the rate of the flags.
func (flags *transferFlags) limiter() *rate.Limiter {
	if flags.rate == 0 {
		return rate.NewLimiter(rate.Inf, maxBatch)
	}
	return rate.NewLimiter(rate.Limit(flags.rate), flags.batch())
}

// transfer counts and reports what a command moves.
type transfer struct {
	app      *app
	verb     string // past tense, such as "copied"
	progress *progress
	out      io.Writer // of the counts

	moved, bytes, present, absent, expired, failed, verified, resumed int64
}

func (a *app) newTransfer(verb string, total int64) *transfer {
	return &transfer{app: a, verb: verb, progress: a.newProgress(verb, total), out: a.stdout}
}

// maxWarnings is how many entries that failed are named.
const maxWarnings = 20

// fail counts an entry that could not be moved.
func (t *transfer) fail(key string, err error) {
	t.failed++
	var detailed *cache.Error
	if errors.As(err, &detailed) { // whose text has the key
		err = detailed.Err
	}
	switch {
	case t.failed <= maxWarnings:
		t.progress.warn(fmt.Errorf("%s: %w", shown(key), err))
	case t.failed == maxWarnings+1:
		t.progress.warn(fmt.Errorf("further entries failed: only their number is reported"))
	}
}

// count adds the results of a batch.
func (t *transfer) count(records []record, results []written) {
	for i, result := range results {
		switch result {
		case isStored:
			t.moved++
			t.bytes += int64(len(records[i].value))
		case isPresent:
			t.present++
		case isExpired:
			t.expired++
		}
	}
	t.progress.add(len(records))
}

// put writes records to s and counts them.
func (t *transfer) put(ctx context.Context, s *entryStore, records []record, replace bool) ([]written, error) {
	results, err := s.write(ctx, records, replace, t.fail)
	if err == nil {
		t.count(records, results)
	}
	return results, err
}

// store is put, with verification if that is asked for.
func (t *transfer) store(ctx context.Context, s *entryStore, records []record, replace, verify bool) error {
	results, err := t.put(ctx, s, records, replace)
	if err != nil || !verify {
		return err
	}
	return t.verify(ctx, s, records, results)
}

// batcher collects records for put, at the rate of limit.
type batcher struct {
	put     func([]record) error
	limit   *rate.Limiter // whose burst is the size of a batch
	records []record
	size    int
}

func (b *batcher) add(ctx context.Context, r record) error {
	b.records = append(b.records, r)
	b.size += len(r.value)
	if len(b.records) < b.limit.Burst() && b.size < batchBytes {
		return nil
	}
	return b.flush(ctx)
}

func (b *batcher) flush(ctx context.Context) error {
	if len(b.records) == 0 {
		return nil
	}
	records := b.records
	b.records, b.size = nil, 0
	if err := b.limit.WaitN(ctx, len(records)); err != nil {
		return err
	}
	return b.put(records)
}

// end prints the counts, also after an error, and returns err or the error for entries
// that failed.
func (t *transfer) end(err error) error {
	t.progress.finish()
	fields := object{t.verb: t.moved, "bytes": t.bytes, "failed": t.failed}
	text := fmt.Sprintf("%s %s, %s", t.verb, countOf(t.moved), withUnit(t.bytes))
	for _, count := range []struct {
		n    int64
		name string
	}{
		{t.resumed, "copied before"}, {t.present, "already present"}, {t.absent, "absent"}, {t.expired, "expired"},
		{t.verified, "verified"}, {t.failed, "failed"},
	} {
		if count.n > 0 {
			fields[strings.ReplaceAll(count.name, " ", "_")] = count.n
			text += fmt.Sprintf(", %d %s", count.n, count.name)
		}
	}
	if err != nil {
		fields["complete"] = false
		text += "; incomplete"
	}
	line := []byte(text + "\n")
	if t.app.json {
		line = fields.encode()
	}
	if _, writing := t.out.Write(line); err == nil {
		err = writing
	}
	if err == nil && t.failed > 0 {
		err = errors.New(countOf(t.failed) + " failed")
	}
	return err
}

func countOf(entries int64) string {
	if entries == 1 {
		return "1 entry"
	}
	return strconv.FormatInt(entries, 10) + " entries"
}
