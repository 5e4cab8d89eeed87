package observe_test

import (
	"context"
	"expvar"
	"fmt"
	"log/slog"
	"os"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/cachetest"
	"github.com/cachebackends/cachebackends/observe"
)

func ExampleStats() {
	ctx := context.Background()
	var stats observe.Stats
	expvar.Publish("cache", &stats)
	c := cache.New(cachetest.NewStore(), cache.WithObserver(stats.Observe))
	defer c.Close()

	c.Set(ctx, "greeting", []byte("hello"))
	c.GetMany(ctx, "greeting", "name")

	s := stats.Snapshot()
	fmt.Println(s.Hits, s.Misses, s.HitRatio(), s.Operations["get_many"].Count)
	// Output: 1 1 0.5 1
}

func ExampleLog() {
	ctx := context.Background()
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "duration" {
				return slog.Attr{} // they differ in each run
			}
			return a
		},
	}))
	store := cachetest.NewStore()
	c := cache.New(store, cache.WithIgnoreErrors(), cache.WithObserver(observe.Log(logger, observe.LogOptions{})))
	defer c.Close()

	store.Fail("get", "", cache.ErrUnavailable)
	for range 1000 {
		c.Get(ctx, "greeting")
	}
	// Output: level=WARN msg="cache operation failed" backend=cachetest op=get kind=unavailable error="store is unavailable"
}
