// Package workload makes the keys that peers are asked for and the order of the
// calls, before anything is measured.
package workload

import (
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

const (
	KeySize   = 20  // bytes of every key
	ValueSize = 100 // bytes of a value, unless a series says otherwise

	// Life is the time to live of every entry. Each peer that can keeps and checks it,
	// and nothing expires during a run.
	Life = time.Hour
)

// Keys returns n different keys, starting with number from.
func Keys(from, n int) []string {
	keys := make([]string, n)
	for i := range keys {
		var number [8]byte
		binary.BigEndian.PutUint64(number[:], uint64(from+i))
		keys[i] = "key:" + hex.EncodeToString(number[:])
	}
	return keys
}

// Accesses returns a sequence of keys, all equally likely. Its length is a
// power of two, so that a mask repeats it without end: long enough to visit most keys,
// short enough not to evict them from the processor's caches.
func Accesses(keys []string) []string {
	random := rand.New(rand.NewPCG(1, uint64(len(keys))))
	accesses := make([]string, max(1<<13, 1<<bits.Len(uint(len(keys)-1))))
	for i := range accesses {
		accesses[i] = keys[random.IntN(len(keys))]
	}
	return accesses
}

// Writes returns which accesses write. Its length is prime: each time round,
// different keys are written.
func Writes(percent int) []bool {
	writes := make([]bool, 1021)
	for i := range len(writes) * percent / 100 {
		writes[i] = true
	}
	random := rand.New(rand.NewPCG(2, uint64(percent)))
	random.Shuffle(len(writes), func(i, j int) { writes[i], writes[j] = writes[j], writes[i] })
	return writes
}

// Trace is the sequence of reads that hit ratios are measured with.
type Trace struct {
	Keys     []string
	IDs      []uint32 // into Keys; those from Universe on belong to scans
	Universe int
	WarmUp   int // accesses before hits are counted
}

const (
	zipfExponent = 1.01
	turnover     = 5 // accesses between two scans, and of the warm-up, in capacities
)

// NewTrace reads keys of a Zipf distribution over ten times capacity.
// With scans, each stretch of turnover*capacity accesses ends with a scan: capacity
// keys that were never asked before and never will be again.
func NewTrace(capacity, accesses int, scans bool, seed uint64) Trace {
	universe := 10 * capacity
	random := rand.New(rand.NewPCG(seed, uint64(capacity)))
	zipf := rand.NewZipf(random, zipfExponent, 1, uint64(universe-1))
	t := Trace{Universe: universe, WarmUp: turnover * capacity}
	next := universe
	for i := range accesses {
		t.IDs = append(t.IDs, uint32(zipf.Uint64()))
		if scans && (i+1)%(turnover*capacity) == 0 {
			for range capacity {
				t.IDs = append(t.IDs, uint32(next))
				next++
			}
		}
	}
	t.Keys = Keys(0, next)
	return t
}

// Number reads a number of entries or bytes, as "500", "100k", "1M", "100B" or "4KiB".
// It panics if there is none.
func Number(text string) int {
	factor := 1
	for _, unit := range []struct {
		name   string
		factor int
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"B", 1}, {"k", 1000}, {"M", 1_000_000}} {
		if number, ok := strings.CutSuffix(text, unit.name); ok {
			text, factor = number, unit.factor
			break
		}
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return n * factor
}
