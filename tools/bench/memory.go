package main

import (
	"fmt"
	"sync/atomic"
	"testing"
)

// valueSize is the length of the values, in bytes, where no case says otherwise.
const valueSize = 100

var sizes = []size{{"500", 500}, {"100k", 100_000}, {"1M", 1_000_000}}

type size struct {
	name    string
	entries int
}

// hitSeries read entries that are all there, mixSeries also replace them.
func hitSeries() []series {
	var all []series
	for _, size := range sizes {
		all = append(all, memorySeries("Hit", "shared", size, 0, valueSize, peers()))
	}
	return all
}

func mixSeries() []series {
	var all []series
	for _, size := range sizes {
		all = append(all,
			memorySeries("Mix", "90-10", size, 10, valueSize, peers()),
			memorySeries("Mix", "50-50", size, 50, valueSize, peers()))
	}
	return all
}

// copySeries read bytes that are the caller's own.
func copySeries() []series {
	var all []series
	for _, size := range sizes[:2] {
		all = append(all,
			memorySeries("Copy", "100B", size, 0, 100, copiers()),
			memorySeries("Copy", "1KB", size, 0, 1024, copiers()))
	}
	return all
}

func memorySeries(group, name string, size size, writePercent, valueSize int, peers []peer) series {
	s := series{group: group, name: name, size: size.name, procs: []int{1, 2}, load: size.entries}
	switch { // to fill them takes longer than to measure
	case size.entries >= 1_000_000:
		s.most, s.heavy = 2, true
	case size.entries >= 100_000:
		s.most = 5
	}
	var keys []string // not the very strings that accesses has: no peer can compare pointers
	var accesses []string
	writes := makeWrites(writePercent)
	s.prepare = func() error {
		keys = makeKeys(0, size.entries)
		accesses = makeAccesses(makeKeys(0, size.entries))
		return nil
	}
	s.release = func() { keys, accesses = nil, nil }
	for _, p := range peers {
		s.lanes = append(s.lanes, lane{p.name, func() (func(*testing.B), func(), error) {
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
		}})
	}
	return s
}

// openFilled returns a store that holds keys. It has room for an eighth more: a
// peer made of shards fills them unequally.
func openFilled(p peer, keys []string, value []byte) (store, error) {
	s, err := p.open(len(keys)+len(keys)/8, len(value))
	if err != nil {
		return store{}, err
	}
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
	return store{}, fmt.Errorf("%s misses %d of %d entries it was given", p.name, len(absent), len(keys))
}

// fill stores keys. It lets peers that decide later keep pace, so that none has
// to drop what its buffers cannot hold.
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

// absent returns those of keys that are not there.
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

// runReads and runMix are the timed loops of the cases in memory, on GOMAXPROCS
// goroutines.
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

// runParallel reports the hits of all goroutines, each of which begins at a
// place of its own.
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
		b.ReportMetric(100*float64(hits.Load())/float64(n), hitUnit)
	}
}
