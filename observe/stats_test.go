package observe_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/cachetest"
	"github.com/cachebackends/cachebackends/observe"
)

func TestStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stats observe.Stats
		c, store := cachetest.New(t, cache.WithObserver(stats.Observe))
		ctx := t.Context()
		c.Set(ctx, "k", []byte("12345"))
		c.Get(ctx, "k")
		c.GetMany(ctx, "k", "l", "m")
		c.Add(ctx, "k", []byte("1234567"))
		stats.Observe(ctx, cache.Event{Op: "scan", Hits: 100})
		v := cache.Of[int](c)
		var callers sync.WaitGroup
		for range 3 {
			callers.Go(func() {
				v.GetOrSet(ctx, "loaded", func(context.Context) (int, error) { time.Sleep(time.Second); return 1, nil })
			})
		}
		callers.Wait()
		v.GetOrSet(ctx, "broken", func(context.Context) (int, error) { return 1, errors.New("no database") })
		store.Fail("", "", cache.ErrUnavailable)
		c.Get(ctx, "k")
		c.Report(ctx, cache.Event{Op: cache.OpStale})
		got := stats.Snapshot()
		for name, n := range map[string][2]int64{
			"hits":          {got.Hits, 2},
			"misses":        {got.Misses, 2 + 3 + 1 + 1},
			"bytes read":    {got.BytesRead, 10},
			"bytes written": {got.BytesWritten, 5 + 7 + 1},
			"refused":       {got.Refused, 1},
			"loads":         {got.Loads, 2},
			"failed loads":  {got.FailedLoads, 1},
			"shared loads":  {got.SharedLoads, 2},
			"stale":         {got.Stale, 1},
			"faults of get": {got.Faults[observe.Fault{Op: "get", Kind: observe.Unavailable}], 1},
			"gets":          {got.Operations["get"].Count, 6},
		} {
			if n[0] != n[1] {
				t.Errorf("%s: got %d, want %d", name, n[0], n[1])
			}
		}
		if d := got.Operations["load"]; d.Max < time.Second || d.Max > 9*time.Second/8 || d.Sum != time.Second {
			t.Errorf("durations of loads: %+v", d)
		}
		var printed map[string]any
		if err := json.Unmarshal([]byte(stats.String()), &printed); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{
			"hits":       "2",
			"faults":     "map[get:map[unavailable:1] load:map[other:1]]",
			"operations": "sum_seconds:1]",
		} {
			if got := fmt.Sprint(printed[name]); !strings.Contains(got, want) {
				t.Errorf("%s is %s, want %s", name, got, want)
			}
		}
	})
}

// No operation of package cache is taken for an event of a backend, even if it takes no
// time.
func TestClassOfOperations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		ops := map[string]observe.Class{}
		c, _ := cachetest.New(t, cache.WithObserver(func(_ context.Context, e cache.Event) { ops[e.Op] = observe.ClassOf(e) }))
		c.Get(ctx, "k")
		c.GetMany(ctx, "k")
		c.GetDict(ctx, "k")
		c.Set(ctx, "k", nil)
		c.SetMany(ctx, map[string][]byte{"k": nil})
		c.Add(ctx, "k", nil)
		c.Delete(ctx, "k")
		c.DeleteMany(ctx, "k")
		c.Has(ctx, "k")
		c.TTL(ctx, "k")
		c.Inc(ctx, "n", 1)
		c.Dec(ctx, "n", 1)
		c.Clear(ctx)
		c.Ping(ctx)
		c.Stats(ctx)
		for range c.Scan(ctx, "") {
		}
		c.Lease(ctx, "k", time.Second)
		c.Fill(ctx, "k", "", nil)
		c.Release(ctx, "k", "")
		c.CompareAndSwap(ctx, "k", nil, nil)
		if len(ops) != 20 {
			t.Errorf("%d operations: %v", len(ops), ops)
		}
		for op, class := range ops {
			if class != observe.Call {
				t.Errorf("%s has the class %d", op, class)
			}
		}
		if got := observe.ClassOf(cache.Event{Op: "breaker_open"}); got != observe.Notice {
			t.Errorf("breaker_open has the class %d", got)
		}
	})
}

func TestStatsConcurrently(t *testing.T) {
	var stats observe.Stats
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for i := range 1000 {
				stats.Observe(t.Context(), cache.Event{Op: []string{"get", "set"}[i%2], Hits: 1, Err: cache.ErrFull})
				if i%100 == 0 {
					_ = stats.String()
				}
			}
		})
	}
	group.Wait()
	got := stats.Snapshot()
	if got.Hits != 4000 || got.Operations["get"].Count != 4000 || got.Faults[observe.Fault{Op: "set", Kind: observe.Full}] != 4000 {
		t.Errorf("got %+v", got)
	}
}
