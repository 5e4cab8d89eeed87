package main

import (
	"runtime"
	"slices"
	"strings"
	"testing"
)

// bytesSeries weigh a full store of entries that nobody else refers to.
func bytesSeries() []series {
	size := sizes[2]
	s := series{group: "Bytes", name: "full", size: size.name, most: 1, load: size.entries, heavy: true}
	for _, p := range peers() {
		if p.name == "simple-copy" {
			continue // stores the same as simple
		}
		s.lanes = append(s.lanes, lane{p.name, func() (func(*testing.B), func(), error) {
			run := func(b *testing.B) {
				perEntry := 0.0
				for b.Loop() {
					var err error
					if perEntry, err = weigh(p, size.entries); err != nil {
						fail(b, err)
					}
				}
				b.ReportMetric(perEntry, bytesUnit)
			}
			return run, func() {}, nil
		}})
	}
	return []series{s}
}

// weigh returns the bytes of heap per entry, with its key of keySize and its value
// of valueSize, of a store filled to its capacity.
func weigh(p peer, capacity int) (float64, error) {
	keys := makeKeys(0, capacity)
	before := liveHeap()
	s, err := p.open(capacity, valueSize)
	if err != nil {
		return 0, err
	}
	defer s.close()
	for chunk := range slices.Chunk(keys, 1000) {
		fresh := make([]string, len(chunk))
		for i, key := range chunk {
			fresh[i] = strings.Clone(key)
		}
		s.fill(fresh, func(string) []byte { return make([]byte, valueSize) })
	}
	held := len(keys) - len(s.absent(keys))
	after := liveHeap()
	runtime.KeepAlive(keys)
	runtime.KeepAlive(s.get)
	return float64(after-before) / float64(held), nil
}

func liveHeap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // the second frees what pools kept through the first
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
