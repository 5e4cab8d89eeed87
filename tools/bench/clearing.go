package main

import (
	"context"
	"fmt"
	"testing"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/redis"
	"github.com/cachebackends/cachebackends/simple"
)

// clearSeries empty stores of a million entries, those of one prefix and all. What
// is looked at is the heap meanwhile; directories are in directorySeries.
func clearSeries() []series {
	const entries = 1_000_000
	all := []series{
		clearing("simple", "", entries, func() (cache.Backend, func(), error) {
			b, err := simple.New(context.Background(), simple.Options{Threshold: simple.NoLimit})
			return b, func() {}, err
		}),
		clearing("redis", redisRemote().missing, entries, func() (cache.Backend, func(), error) {
			addr, stop, err := startRedis()
			if err != nil {
				return nil, nil, err
			}
			b, err := redis.New(context.Background(), redis.Options{Addr: addr})
			return b, stop, err
		}),
	}
	return all
}

func clearing(name, missing string, entries int, open func() (cache.Backend, func(), error)) series {
	s := series{group: "Clearing", name: name, size: fmt.Sprint(entries), missing: missing, most: 1, load: 3 * entries, heavy: true}
	s.lanes = []lane{{name, func() (func(*testing.B), func(), error) {
		b, stop, err := open()
		if err != nil {
			return nil, nil, err
		}
		c := cache.New(b, cache.WithPrefix("bench:"), cache.WithDefaultTimeout(life))
		run := func(b *testing.B) {
			b.ReportAllocs()
			if err := fillAndClear(b, c, entries); err != nil {
				fail(b, err)
			}
		}
		return run, func() { c.Close(); stop() }, nil
	}}}
	return s
}

func fillAndClear(b *testing.B, c *cache.Cache, entries int) error {
	const some = 10_000
	ctx, value, peak := context.Background(), make([]byte, valueSize), int64(0)
	for b.Loop() {
		b.StopTimer()
		for from := 0; from < entries; from += some {
			items := map[string][]byte{}
			for _, key := range makeKeys(from, min(some, entries-from)) {
				items[key] = value
			}
			if err := c.SetMany(ctx, items); err != nil {
				return err
			}
		}
		above := peakHeap()
		b.StartTimer()
		err := c.Clear(ctx)
		b.StopTimer()
		if err != nil {
			return err
		}
		peak = max(peak, above())
		b.StartTimer()
	}
	perItem(b, entries)
	b.ReportMetric(float64(peak), peakUnit)
	return nil
}
