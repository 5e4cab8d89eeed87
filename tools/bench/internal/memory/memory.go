// Package memory measures the caches that live in the memory of the process.
package memory

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

// Mixes are reads of entries that are all present, with replacements in the given
// percentage of the operations, for each number of entries.
func Mixes(name string, writePercent int, entries ...string) []measure.Series {
	var all []measure.Series
	for _, n := range entries {
		all = append(all, mix(name, n, writePercent, workload.ValueSize, peers))
	}
	return all
}

// Copies are reads of 500 values that become the caller's own, for each number of bytes.
func Copies(name string, bytes ...string) []measure.Series {
	var all []measure.Series
	for _, n := range bytes {
		all = append(all, mix(name+"/bytes="+n, "500", 0, workload.Number(n), copiers))
	}
	return all
}

// Creations are sets of absent keys by a full store, which evicts others, for each number
// of entries.
func Creations(name string, entries ...string) []measure.Series {
	var all []measure.Series
	for _, n := range entries {
		all = append(all, creation(name+"/entries="+n, workload.Number(n)))
	}
	return all
}

// creation goes round eight times as many keys as there is room for, which are evicted
// before their next turn. A goroutine takes many of them at a time.
func creation(name string, entries int) measure.Series {
	s := measure.Series{Name: name, Procs: []int{1, 2}, MaxRounds: 6}
	var keys []string
	s.Setup = func() (func(), error) {
		keys = workload.Keys(0, 8*entries)
		return func() { keys = nil }, nil
	}
	for _, p := range peers {
		if p.bound != byEntries || p.ours() && p.name != "simple" {
			continue
		}
		s.Lanes = append(s.Lanes, p.lane(func() (func(*testing.B), func(), error) {
			st := p.open(entries, workload.ValueSize)
			value := make([]byte, workload.ValueSize)
			st.fill(keys[len(keys)-entries:], func(string) []byte { return value })
			const some = 1 << 10
			var taken atomic.Int64 // by the goroutines of all runs
			return func(b *testing.B) {
				runParallel(b, func(pb *testing.PB, _ uint32) (hits, reads int) {
					for at := 0; pb.Next(); at++ {
						if at%some == 0 {
							at = int(taken.Add(some)) - some
						}
						st.set(keys[at%len(keys)], value)
					}
					return 0, 0
				})
			}, st.close, nil
		}))
	}
	return s
}

// Loaded are reads of 500 entries by caches that load what is missing, which is nothing.
func Loaded(name string) []measure.Series {
	return []measure.Series{mix(name, "500", 0, workload.ValueSize, loaders)}
}

// mix chooses among the entries with equal likelihood, on one and two processors.
func mix(name, entries string, writePercent, valueSize int, peers []peer) measure.Series {
	s := measure.Series{Name: name + "/entries=" + entries, Procs: []int{1, 2}}
	n := workload.Number(entries)
	switch { // to fill them takes longer than to measure
	case n >= 1_000_000:
		s.MaxRounds, s.Heavy = 3, true
	case n >= 100_000:
		s.MaxRounds = 6
	}
	var keys []string // not the strings of accesses: no peer can compare pointers
	var accesses []string
	writes := workload.Writes(writePercent)
	s.Setup = func() (func(), error) {
		keys = workload.Keys(0, n)
		accesses = workload.Accesses(workload.Keys(0, n))
		return func() { keys, accesses = nil, nil }, nil
	}
	for _, p := range peers {
		s.Lanes = append(s.Lanes, p.lane(func() (func(*testing.B), func(), error) {
			value := make([]byte, valueSize)
			st, err := openFilled(p, keys, value)
			if err != nil {
				return nil, nil, err
			}
			run := func(b *testing.B) { runReads(b, st, accesses) }
			if writePercent > 0 {
				run = func(b *testing.B) { runMix(b, st, accesses, writes, value) }
			}
			return run, st.close, nil
		}))
	}
	return s
}

// openFilled returns a store that holds keys. It has room for an eighth more: a
// peer made of shards fills them unequally.
func openFilled(p peer, keys []string, value []byte) (store, error) {
	s := p.open(len(keys)+len(keys)/8, len(value))
	absent := keys
	for range 5 {
		s.fill(absent, func(string) []byte { return value })
		if absent = s.absent(keys); len(absent) == 0 {
			return s, nil
		}
	}
	if p.name == "ristretto" && len(absent) < len(keys)/20 {
		return s, nil // it rejects what it will; the report shows the hits
	}
	s.close()
	return store{}, fmt.Errorf("%d of %d entries are missing after they were stored", len(absent), len(keys))
}

// fill stores keys. It waits for peers that decide later, so that none has to drop
// what its buffers cannot hold.
func (s store) fill(keys []string, value func(key string) []byte) {
	for i, key := range keys {
		s.set(key, value(key))
		if s.settle != nil && i%1000 == 999 {
			s.settle()
		}
	}
	if s.settle != nil {
		s.settle()
	}
}

// absent returns the keys that are not present.
func (s store) absent(keys []string) []string {
	var absent []string
	get := s.newReader()
	for _, key := range keys {
		if _, ok := get(key); !ok {
			absent = append(absent, key)
		}
	}
	return absent
}

// newReader returns the get of one goroutine.
func (s store) newReader() func(key string) ([]byte, bool) {
	if s.reader != nil {
		return s.reader()
	}
	return s.get
}

// runReads and runMix are the timed loops, on GOMAXPROCS goroutines.
func runReads(b *testing.B, s store, accesses []string) {
	runParallel(b, func(pb *testing.PB, at uint32) (hits, reads int) {
		get := s.newReader()
		mask := uint32(len(accesses) - 1)
		for pb.Next() {
			if _, ok := get(accesses[at&mask]); ok {
				hits++
			}
			at++
			reads++
		}
		return hits, reads
	})
}

func runMix(b *testing.B, s store, accesses []string, writes []bool, value []byte) {
	runParallel(b, func(pb *testing.PB, at uint32) (hits, reads int) {
		get, set := s.newReader(), s.set
		mask := uint32(len(accesses) - 1)
		turn := int(at % uint32(len(writes)))
		for pb.Next() {
			key := accesses[at&mask]
			at++
			if turn++; turn == len(writes) {
				turn = 0
			}
			if writes[turn] {
				set(key, value)
				continue
			}
			reads++
			if _, ok := get(key); ok {
				hits++
			}
		}
		return hits, reads
	})
}

// runParallel reports the hits of all goroutines, each of which starts at a
// different place.
func runParallel(b *testing.B, loop func(pb *testing.PB, at uint32) (hits, reads int)) {
	var hits, reads atomic.Int64
	var goroutines atomic.Uint32
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		h, r := loop(pb, goroutines.Add(1)*0x9e3779b1)
		hits.Add(int64(h))
		reads.Add(int64(r))
	})
	if n := reads.Load(); n > 0 {
		b.ReportMetric(100*float64(hits.Load())/float64(n), HitPercent)
	}
}
