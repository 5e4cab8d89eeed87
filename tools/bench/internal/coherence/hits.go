// Package coherence measures caches in memory before a redis server: what a hit costs, and
// how late a process sees the write of another.
package coherence

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/cachebackends/cachebackends/simple"

	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
	"github.com/cachebackends/cachebackends/tools/bench/internal/stores"
	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

// alone is a process without a server, to compare hits with.
var alone = way{"simple-view", "a store that processes share", true, func(string) (client, error) {
	b, err := simple.New(ctx, simple.Options{})
	if err != nil {
		return client{}, err
	}
	return viewOf(b), nil
}}

// Hits are reads of 500 entries that are in the memory of the process.
func Hits(name string) measure.Series {
	s, addr := series(name + "/hit/entries=500")
	s.Procs = []int{1, 2}
	for _, w := range []way{alone, byTracking, rueidisTracking} {
		s.Lanes = append(s.Lanes, w.lane(func() (func(*testing.B), func(), error) {
			keys := workload.Keys(0, 500)
			c, err := w.openFilled(*addr, keys)
			if err != nil {
				return nil, nil, err
			}
			accesses := workload.Accesses(workload.Keys(0, 500)) // no peer can compare pointers
			return func(b *testing.B) { runHits(b, c, accesses) }, c.close, nil
		}))
	}
	return s
}

// series begins one whose server is at *addr.
func series(name string) (s measure.Series, addr *string) {
	addr = new(string)
	s = measure.Series{Name: name, Missing: stores.Redis.Missing}
	s.Setup = func() (release func(), err error) {
		*addr, release, err = stores.Redis.Start()
		return release, err
	}
	return s, addr
}

func (w way) lane(open func() (func(*testing.B), func(), error)) measure.Lane {
	return measure.Lane{Peer: w.name, Lacks: w.lacks, Ours: w.ours, Open: open}
}

// openFilled returns a client that has all keys in its memory. Another client stores them
// before, so that no notices of it arrive later.
func (w way) openFilled(addr string, keys []string) (client, error) {
	writer, err := w.open(addr)
	if err != nil {
		return client{}, err
	}
	for _, key := range keys {
		if err := writer.set(key, string(make([]byte, workload.ValueSize))); err != nil {
			return client{}, err
		}
	}
	if w.name == alone.name {
		return writer, nil
	}
	defer writer.close()
	c, err := w.open(addr)
	if err != nil {
		return client{}, err
	}
	for range 2 { // the second read decodes what the first has kept
		for _, key := range keys {
			if value, err := c.get(key); err != nil || value == "" {
				c.close()
				return client{}, fmt.Errorf("get of %s: %q, %w", key, value, err)
			}
		}
	}
	return c, nil
}

func runHits(b *testing.B, c client, accesses []string) {
	mask := uint32(len(accesses) - 1)
	var goroutines atomic.Uint32
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for at := goroutines.Add(1) * 0x9e3779b1; pb.Next(); at++ {
			if _, err := c.get(accesses[at&mask]); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
