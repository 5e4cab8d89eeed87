package main

import (
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"math/rand/v2"
	"strings"
)

// keySize is the length of every key, in bytes.
const keySize = 20

// makeKeys returns n different keys, beginning with the one of number from.
func makeKeys(from, n int) []string {
	keys := make([]string, n)
	for i := range keys {
		var number [8]byte
		binary.BigEndian.PutUint64(number[:], uint64(from+i))
		keys[i] = "key:" + hex.EncodeToString(number[:])
	}
	return keys
}

// makeAccesses returns a sequence of keys, all equally likely. Its length is a
// power of two, so that a mask makes it endless; long enough to visit most keys,
// short enough to stay out of their way in the processor's caches.
func makeAccesses(keys []string) []string {
	random := rand.New(rand.NewPCG(1, uint64(len(keys))))
	accesses := make([]string, max(1<<13, 1<<bits.Len(uint(len(keys)-1))))
	for i := range accesses {
		accesses[i] = keys[random.IntN(len(keys))]
	}
	return accesses
}

// makeWrites returns which accesses write. Its length is prime: each time round,
// other keys are written.
func makeWrites(percent int) []bool {
	writes := make([]bool, 1021)
	for i := range len(writes) * percent / 100 {
		writes[i] = true
	}
	random := rand.New(rand.NewPCG(2, uint64(percent)))
	random.Shuffle(len(writes), func(i, j int) { writes[i], writes[j] = writes[j], writes[i] })
	return writes
}

// trace is what a read-through cache is asked in the hit ratio runs.
type trace struct {
	keys     []string
	ids      []uint32 // into keys; those from universe on belong to scans
	universe int
	warmUp   int // accesses before hits are counted
}

const (
	zipfExponent = 1.01
	turnover     = 5 // accesses between two scans, and of the warm-up, in capacities
)

// makeTrace asks for keys of a Zipf distribution ten times larger than capacity.
// With scans, each stretch of turnover*capacity accesses ends with a scan: capacity
// keys that were never asked before and never will be again.
func makeTrace(capacity, accesses int, scans bool, seed uint64) trace {
	universe := 10 * capacity
	random := rand.New(rand.NewPCG(seed, uint64(capacity)))
	zipf := rand.NewZipf(random, zipfExponent, 1, uint64(universe-1))
	t := trace{universe: universe, warmUp: turnover * capacity}
	next := universe
	for i := range accesses {
		t.ids = append(t.ids, uint32(zipf.Uint64()))
		if scans && (i+1)%(turnover*capacity) == 0 {
			for range capacity {
				t.ids = append(t.ids, uint32(next))
				next++
			}
		}
	}
	t.keys = makeKeys(0, next)
	return t
}

// replay asks s for every key of the trace, stores what is missing, and returns
// the percentage of hits. A scan counts by the harm it does: its own misses,
// which nobody can avoid, do not.
func (t trace) replay(s store, value []byte) float64 {
	hits, reads := 0, 0
	for i, id := range t.ids {
		key := t.keys[id]
		_, ok := s.get(key)
		if !ok {
			s.set(strings.Clone(key), value)
		}
		if i < t.warmUp || int(id) >= t.universe {
			continue
		}
		reads++
		if ok {
			hits++
		}
	}
	return 100 * float64(hits) / float64(reads)
}
