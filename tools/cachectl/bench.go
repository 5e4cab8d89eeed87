package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/spf13/cobra"
)

// bench measures the operations of a cache, one after the other.
type bench struct {
	cache    *cache.Cache
	keys     []string
	value    []byte
	workers  int
	duration time.Duration // of each operation
	watch    func(what string) (stop func())
}

// benchOperation is done again and again; n counts the calls of one worker.
type benchOperation struct {
	name string
	do   func(ctx context.Context, b *bench, n int) error
}

// Entries that a killed benchmark leaves behind are gone after this.
var benchLife = cache.Timeout(10 * time.Minute)

var benchOperations = []benchOperation{
	{"set", func(ctx context.Context, b *bench, n int) error {
		return b.cache.Set(ctx, b.key(n), b.value, benchLife)
	}},
	{"get", func(ctx context.Context, b *bench, n int) error {
		_, _, err := b.cache.Get(ctx, b.key(n))
		return err
	}},
	{"get, a miss", func(ctx context.Context, b *bench, n int) error {
		_, _, err := b.cache.Get(ctx, b.key(n)+"-")
		return err
	}},
	{"has", func(ctx context.Context, b *bench, n int) error {
		_, err := b.cache.Has(ctx, b.key(n))
		return err
	}},
	{"9 get, 1 set", func(ctx context.Context, b *bench, n int) error {
		if n%10 == 0 {
			return b.cache.Set(ctx, b.key(n), b.value, benchLife)
		}
		_, _, err := b.cache.Get(ctx, b.key(n))
		return err
	}},
	{"delete, set", func(ctx context.Context, b *bench, n int) error {
		if n%2 == 1 {
			return b.cache.Set(ctx, b.key(n-1), b.value, benchLife)
		}
		_, err := b.cache.Delete(ctx, b.key(n))
		return err
	}},
}

func (b *bench) key(n int) string { return b.keys[n%len(b.keys)] }

func (a *app) benchCommand() *cobra.Command {
	var (
		duration            time.Duration
		size, keys, workers int
	)
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure operations per second and latencies",
		Long: `Measure operations per second and latencies, through the whole library: a clock
reading is in each latency. It removes its entries at the end.`,
		Example: "  cachectl bench --workers 8 --size 4096",
		Args:    cobra.NoArgs,
	}
	cmd.Flags().DurationVarP(&duration, "duration", "d", time.Second, "of each operation")
	cmd.Flags().IntVarP(&size, "size", "s", 100, "of a value, in `BYTES`")
	cmd.Flags().IntVarP(&keys, "keys", "k", 100, "`NUMBER` of keys")
	cmd.Flags().IntVarP(&workers, "workers", "w", 1, "`NUMBER` of callers at the same time")
	cmd.RunE = a.withCache(func(ctx context.Context, c *cache.Cache, _ []string) error {
		if duration <= 0 || size < 0 || keys < 1 || workers < 1 {
			return usagef("--duration, --keys and --workers must be positive, --size not negative")
		}
		ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
		defer stop()
		b := &bench{cache: c, value: bytes.Repeat([]byte("v"), size), workers: workers, duration: duration, watch: a.watch}
		name := "cachectl-bench-" + rand.Text()[:8] + "-"
		for i := range keys {
			b.keys = append(b.keys, name+strconv.Itoa(i))
		}
		rows, err := b.run(ctx)
		if err != nil {
			return err
		}
		fields := object{"size": size, "keys": keys, "workers": workers, "operations": rows}
		return a.answer(true, fields, benchTable(rows))
	})
	return cmd
}

// benchRow is how fast one operation was.
type benchRow struct {
	Operation string        `json:"operation"`
	Count     uint64        `json:"count"`
	PerSecond float64       `json:"per_second"`
	P50       time.Duration `json:"p50_ns"`
	P90       time.Duration `json:"p90_ns"`
	P99       time.Duration `json:"p99_ns"`
	Max       time.Duration `json:"max_ns"`
}

func (b *bench) run(ctx context.Context) (rows []benchRow, err error) {
	defer func() {
		_, removing := b.cache.DeleteMany(context.WithoutCancel(ctx), b.keys...)
		err = errors.Join(err, removing)
	}()
	for _, key := range b.keys {
		if err := b.cache.Set(ctx, key, b.value, benchLife); err != nil {
			return nil, err
		}
	}
	for i, operation := range benchOperations {
		stop := b.watch(fmt.Sprintf("%d of %d, %s", i+1, len(benchOperations), operation.name))
		row, err := b.measure(ctx, operation)
		stop()
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (b *bench) measure(ctx context.Context, operation benchOperation) (benchRow, error) {
	var (
		wait    sync.WaitGroup
		mu      sync.Mutex
		all     histogram
		failure error
		stop    atomic.Bool
	)
	start := time.Now()
	for worker := range b.workers {
		wait.Go(func() {
			var seen histogram
			var err error
			before := time.Now()
			// Workers begin at different keys; even numbers, for operations in pairs.
			for n := worker * 2 * 7919; err == nil && !stop.Load() && before.Sub(start) < b.duration; n++ {
				err = operation.do(ctx, b, n)
				after := time.Now()
				seen.add(after.Sub(before))
				before = after
			}
			mu.Lock()
			defer mu.Unlock()
			all.merge(&seen)
			if err != nil {
				failure = err
				stop.Store(true)
			}
		})
	}
	wait.Wait()
	row := benchRow{
		Operation: operation.name,
		Count:     all.total,
		PerSecond: float64(all.total) / time.Since(start).Seconds(),
		P50:       all.percentile(50),
		P90:       all.percentile(90),
		P99:       all.percentile(99),
		Max:       all.max,
	}
	return row, failure
}

func benchTable(rows []benchRow) []byte {
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "µs\tops/s\tp50\tp90\tp99\tmax\t")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%.0f", r.Operation, r.PerSecond)
		for _, latency := range []time.Duration{r.P50, r.P90, r.P99, r.Max} {
			fmt.Fprintf(w, "\t%.1f", float64(latency)/float64(time.Microsecond))
		}
		fmt.Fprintln(w, "\t")
	}
	w.Flush()
	return table.Bytes()
}
