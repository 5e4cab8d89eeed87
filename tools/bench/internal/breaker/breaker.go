// Package breaker measures what an outage of a server costs the callers of a guard.
package breaker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance/proxy"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/guard"
	"github.com/cachebackends/cachebackends/memcached"
	"github.com/cachebackends/cachebackends/redis"

	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
	"github.com/cachebackends/cachebackends/tools/bench/internal/stores"
	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

var ctx = context.Background()

// settings of the guard. Nothing is probed during a measurement.
var settings = guard.Options{Budget: Budget, Faults: 5, Pause: time.Hour}

// Budget is that of one call of the guard.
const Budget = 50 * time.Millisecond

// Units of what is measured.
const (
	First    = "sec/first-p99" // of GetOrSet while the breaker is closed
	Then     = "sec/then-p99"  // and when it is open
	Slowdown = "times/slower"  // time of a read of a healthy server, relative to before the outage
)

// series begins one of which an operation is one outage.
func series(name string, k stores.Kind, ops int, measured func(addr string, n int) (map[string]float64, error)) measure.Series {
	s := measure.Series{Name: name, Missing: k.Missing, Ops: ops, MaxRounds: 1}
	var addr string
	s.Setup = func() (release func(), err error) {
		addr, release, err = k.Start()
		return release, err
	}
	s.Lanes = []measure.Lane{{Peer: "guard", Lacks: "nothing: a budget of 50 ms, 5 faults", Ours: true, Open: func() (func(*testing.B), func(), error) {
		return func(b *testing.B) {
			values, err := measured(addr, b.N)
			if err != nil {
				measure.Fail(b, err)
			}
			for unit, value := range values {
				b.ReportMetric(value, unit)
			}
		}, func() {}, nil
	}}}
	return s
}

// BlackHole is GetOrSet over a redis that does not reply.
func BlackHole(name string) measure.Series {
	return series(name, stores.Redis, 20, func(addr string, n int) (map[string]float64, error) {
		var first, then []time.Duration
		for range n {
			f, t, err := getOrSetInOutage(addr)
			if err != nil {
				return nil, err
			}
			first, then = append(first, f...), append(then, t...)
		}
		return map[string]float64{"ns/first-p99": p99(first), "ns/then-p99": p99(then)}, nil
	})
}

// getOrSetInOutage returns the times of calls while the breaker is closed, and of 1000
// others.
func getOrSetInOutage(addr string) (first, then []time.Duration, err error) {
	link, err := proxy.New(addr)
	if err != nil {
		return nil, nil, err
	}
	defer link.Close()
	inner, err := redis.New(ctx, redis.Options{Addr: link.Addr()})
	if err != nil {
		return nil, nil, err
	}
	b, err := guard.New(inner, settings)
	if err != nil {
		return nil, nil, err
	}
	c := cache.New(b, cache.WithDefaultTimeout(workload.Life))
	defer c.Close()
	numbers := cache.Of[int](c)
	call := func(key string) (time.Duration, error) {
		begin := time.Now()
		_, err := numbers.GetOrSet(ctx, key, func(context.Context) (int, error) { return 1, nil })
		return time.Since(begin), err
	}
	keys := workload.Keys(0, 1000)
	if _, err := call(keys[0]); err != nil {
		return nil, nil, err
	}
	if err := link.Set(proxy.Blackhole); err != nil {
		return nil, nil, err
	}
	for len(then) < len(keys) {
		stats, err := b.Stats(ctx)
		if err != nil {
			return nil, nil, err
		}
		took, err := call(keys[len(then)])
		switch {
		case err != nil:
			return nil, nil, err
		case stats.State == "closed":
			first = append(first, took)
		default:
			then = append(then, took)
		}
	}
	return first, then, nil
}

func p99(times []time.Duration) float64 {
	slices.Sort(times)
	return float64(times[(len(times)-1)*99/100])
}

// Others are reads of the other servers while one of three memcached servers does not
// reply. The three are links to one server.
func Others(name string) measure.Series {
	return series(name, stores.Memcached, 5, func(addr string, n int) (map[string]float64, error) {
		sum := 0.0
		for range n {
			slower, err := slowdown(addr)
			if err != nil {
				return nil, err
			}
			sum += slower
		}
		return map[string]float64{Slowdown: sum / float64(n)}, nil
	})
}

// slowdown returns the reads per second of the two other servers before the outage,
// divided by those during it.
func slowdown(addr string) (float64, error) {
	var links [3]*proxy.Proxy
	var addrs []string
	for i := range links {
		link, err := proxy.New(addr)
		if err != nil {
			return 0, err
		}
		defer link.Close()
		links[i], addrs = link, append(addrs, link.Addr())
	}
	inner, err := memcached.New(ctx, memcached.Options{Servers: addrs})
	if err != nil {
		return 0, err
	}
	b, err := guard.New(inner, settings)
	if err != nil {
		return 0, err
	}
	c := cache.New(b, cache.WithDefaultTimeout(workload.Life))
	defer c.Close()
	keys := workload.Keys(0, 300)
	for _, key := range keys {
		if err := c.Set(ctx, key, make([]byte, workload.ValueSize)); err != nil {
			return 0, err
		}
	}
	isLost := func(key string) bool { return inner.Place(key) == addrs[1] }
	before, err := readsPerSecond(c, keys, isLost)
	if err != nil {
		return 0, err
	}
	if err := links[1].Set(proxy.Blackhole); err != nil {
		return 0, err
	}
	for i := 0; i < len(keys); i++ { // until the breaker is open
		if isLost(keys[i]) {
			_, _, _ = c.Get(ctx, keys[i])
		}
	}
	after, err := readsPerSecond(c, keys, isLost)
	return before / after, err
}

// readsPerSecond lets 16 callers read all keys and counts those that are not lost.
func readsPerSecond(c *cache.Cache, keys []string, isLost func(key string) bool) (float64, error) {
	const callers = 16
	var counted atomic.Int64
	var running sync.WaitGroup
	var errs [callers]error
	begin := time.Now()
	for caller := range callers {
		running.Go(func() {
			for i := caller; time.Since(begin) < time.Second; i++ {
				key := keys[i%len(keys)]
				_, ok, err := c.Get(ctx, key)
				switch {
				case isLost(key):
				case err != nil || !ok:
					errs[caller] = fmt.Errorf("a read of a healthy server: %v, %w", ok, err)
					return
				default:
					counted.Add(1)
				}
			}
		})
	}
	running.Wait()
	return float64(counted.Load()) / time.Since(begin).Seconds(), errors.Join(errs[:]...)
}
