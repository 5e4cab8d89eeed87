package coherence

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance/proxy"
	"github.com/cachebackends/cachebackends/redis"

	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

func quantiles(times []time.Duration) map[string]float64 {
	slices.Sort(times)
	at := func(percent int) float64 { return float64(times[(len(times)-1)*percent/100]) }
	return map[string]float64{"ns/p50": at(50), "ns/p99": at(99)}
}

// Cut is an outage of the link on which notices arrive: the connection stays open and
// nothing passes. An operation is one of them.
func Cut(name string) measure.Series {
	s, addr := series(name + "/blackhole")
	s.Ops, s.MaxRounds = 100, 1
	s.Lanes = []measure.Lane{byTracking.lane(func() (func(*testing.B), func(), error) {
		return func(b *testing.B) {
			times, err := staleAfterCuts(*addr, b.N)
			if err != nil {
				measure.Fail(b, err)
			}
			for unit, value := range quantiles(times) {
				b.ReportMetric(value, unit)
			}
			b.ReportMetric(float64(slices.Max(times)), "ns/longest")
		}, func() {}, nil
	})}
	return s
}

// staleAfterCuts returns for how long the old value was read after each of n cuts, from the
// end of the write.
func staleAfterCuts(addr string, n int) (times []time.Duration, err error) {
	writer, err := byTracking.open(addr)
	if err != nil {
		return nil, err
	}
	defer writer.close()
	link, err := proxy.New(addr)
	if err != nil {
		return nil, err
	}
	defer link.Close()
	watch, err := redis.New(ctx, redis.Options{Addr: link.Addr()})
	if err != nil {
		return nil, err
	}
	defer watch.Close()
	key := workload.Keys(rand.Int(), 1)[0]
	for i := range n {
		old, changed := fmt.Sprint("old ", i), fmt.Sprint("changed ", i)
		if err := writer.set(key, old); err != nil {
			return nil, err
		}
		reader, err := openTiered(addr, redis.Options{}, watch)
		if err != nil {
			return nil, err
		}
		stale, err := staleAfterCut(writer, reader, link, key, old, changed)
		reader.close()
		if err != nil {
			return nil, err
		}
		times = append(times, stale)
	}
	return times, nil
}

func staleAfterCut(writer, reader client, link *proxy.Proxy, key, old, changed string) (time.Duration, error) {
	if err := reader.await(key, old); err != nil {
		return 0, err
	}
	if err := link.Set(proxy.Blackhole); err != nil {
		return 0, err
	}
	if err := writer.set(key, changed); err != nil {
		return 0, err
	}
	begin := time.Now()
	if err := reader.await(key, changed); err != nil {
		return 0, err
	}
	stale := time.Since(begin)
	if err := link.Set(proxy.Pass); err != nil {
		return 0, err
	}
	link.Drop() // what was swallowed does not continue
	return stale, nil
}
