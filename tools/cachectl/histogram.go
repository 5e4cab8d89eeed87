package main

import (
	"math"
	"math/bits"
	"time"
)

// histogram counts durations in 16 buckets per power of two, so that what it
// tells is at most one sixteenth below the truth, in 8 KB however long it counts.
type histogram struct {
	counts [1024]uint64
	total  uint64
	max    time.Duration
}

func (h *histogram) add(d time.Duration) {
	h.counts[bucket(d)]++
	h.total++
	h.max = max(h.max, d)
}

func (h *histogram) merge(other *histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.total += other.total
	h.max = max(h.max, other.max)
}

// percentile returns the duration that p percent of all did not exceed.
func (h *histogram) percentile(p float64) time.Duration {
	rank := uint64(math.Ceil(p / 100 * float64(h.total)))
	seen := uint64(0)
	for i, n := range h.counts {
		if seen += n; seen >= rank && n > 0 {
			return lowest(i)
		}
	}
	return h.max
}

func bucket(d time.Duration) int {
	n := uint64(max(d, 0))
	shift := max(bits.Len64(n)-5, 0)
	return shift*16 + int(n>>shift)
}

// lowest is the least duration in bucket i.
func lowest(i int) time.Duration {
	shift := max(i/16-1, 0)
	return time.Duration(i-shift*16) << shift
}
