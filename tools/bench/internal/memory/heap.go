package memory

import (
	"runtime"
	"testing"
	"time"

	"github.com/Yiling-J/theine-go"
	"github.com/dgraph-io/ristretto/v2"
	"github.com/maypok86/otter/v2"
	gocache "github.com/patrickmn/go-cache"

	"github.com/cachebackends/cachebackends/simple"

	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

const (
	HeapAtBound = "B/bound"   // of a store that is full to a bound of Bound bytes
	UntilFreed  = "sec/freed" // from the last expiry until the heap has fallen

	Bound = 64 << 20
)

// Bounds are the heap of a store that is bounded by the weight of its entries, for each
// size of the values.
func Bounds(name string, sizes ...string) []measure.Series {
	var all []measure.Series
	for _, text := range sizes {
		size := workload.Number(text)
		s := measure.Series{Name: name + "/bytes=" + text, MaxRounds: 1, Ops: 1, Setup: nothing}
		for _, p := range weighted {
			s.Lanes = append(s.Lanes, p.lane(func() (func(*testing.B), func(), error) {
				return func(b *testing.B) { b.ReportMetric(float64(heapAtBound(p, size)), HeapAtBound) }, func() {}, nil
			}))
		}
		all = append(all, s)
	}
	return all
}

func nothing() (release func(), err error) { return func() {}, nil }

// heapAtBound stores half as much again as fits.
func heapAtBound(p peer, size int) int64 {
	before := liveHeap()
	s := p.open(Bound, 0)
	defer s.close()
	entries := Bound * 3 / 2 / int(weightOf(make([]byte, size)))
	s.fillOwn(entries, size)
	used := liveHeap() - before
	runtime.KeepAlive(s.get)
	return used
}

// mortal are the peers that can remove expired entries by themselves. Their entries have
// the given life.
func mortal(life time.Duration) []peer {
	return []peer{
		{"simple", "nothing", byEntries, func(capacity, _ int) store {
			b := must(simple.New(ctx, simple.Options{Threshold: capacity}))
			return store{set: func(key string, value []byte) { b.Set(ctx, key, value, life) }, close: func() { b.Close() }}
		}},
		{"otter-expiry", "nothing: an expiry per entry", byEntries, openOtter(otter.ExpiryWriting[string, []byte](life))},
		{"theine", "a bound at all times: its policy sees a set a little later", byEntries, func(capacity, _ int) store {
			c := must(theine.NewBuilder[string, []byte](int64(capacity)).Build())
			return store{set: func(key string, value []byte) { c.SetWithTTL(key, value, 1, life) }, settle: c.Wait, close: c.Close}
		}},
		{"ristretto", "sets that stay: drops and rejects some", byEntries, func(capacity, _ int) store {
			c := must(ristretto.NewCache(&ristretto.Config[string, []byte]{
				NumCounters: int64(capacity) * 10, BufferItems: 64, MaxCost: int64(capacity), IgnoreInternalCost: true,
			}))
			return store{set: func(key string, value []byte) { c.SetWithTTL(key, value, 1, life) }, settle: c.Wait, close: c.Close}
		}},
		{"go-cache", "a bound", unbounded, func(int, int) store {
			c := gocache.New(life, life)
			return store{set: func(key string, value []byte) { c.Set(key, value, life) }, close: c.Flush}
		}},
	}
}

// Expiries are the heap of a store whose entries have expired, and which nobody calls.
func Expiries(name, entries string) []measure.Series {
	const life = 10 * time.Second // longer than to store the entries takes
	s := measure.Series{Name: name + "/entries=" + entries, MaxRounds: 1, Ops: 1, Heavy: true, Setup: nothing}
	for _, p := range mortal(life) {
		s.Lanes = append(s.Lanes, p.lane(func() (func(*testing.B), func(), error) {
			return func(b *testing.B) {
				took := untilFreed(p, workload.Number(entries), life)
				b.ReportMetric(float64(took.Nanoseconds()), "ns/freed")
			}, func() {}, nil
		}))
	}
	return []measure.Series{s}
}

// untilFreed returns the time from the expiry of the last entry until a tenth of what all
// added to the heap is left, or two minutes if more is left then.
func untilFreed(p peer, entries int, life time.Duration) time.Duration {
	s := p.open(entries+entries/8, workload.ValueSize)
	defer s.close()
	empty := liveHeap()
	s.fillOwn(entries, workload.ValueSize)
	expired := time.Now().Add(life)
	full := liveHeap() - empty
	time.Sleep(time.Until(expired))
	const longest = 2 * time.Minute
	for time.Since(expired) < longest && liveHeap()-empty > full/10 {
		time.Sleep(time.Second)
	}
	runtime.KeepAlive(s.set)
	return min(time.Since(expired), longest)
}
