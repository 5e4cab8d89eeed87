package observe

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Buckets are powers of 2 in nanoseconds, each divided into 8, so that a quantile is at
// most 1/8 too large.
const (
	subBits    = 3
	subBuckets = 1 << subBits
	buckets    = (64 - subBits) * subBuckets
)

// histogram counts durations. It has a fixed size, and adding takes no lock.
type histogram struct {
	counts [buckets]atomic.Int64
	sum    atomic.Int64
}

func (h *histogram) add(d time.Duration) {
	h.counts[bucketOf(d)].Add(1)
	h.sum.Add(int64(d))
}

func bucketOf(d time.Duration) int {
	n := uint64(max(d, 0))
	if n < subBuckets {
		return int(n)
	}
	shift := bits.Len64(n) - subBits - 1
	return shift*subBuckets + int(n>>shift)
}

// upperBound returns the longest duration of a bucket.
func upperBound(bucket int) time.Duration {
	if bucket < subBuckets {
		return time.Duration(bucket)
	}
	shift := bucket/subBuckets - 1
	return time.Duration((uint64(bucket%subBuckets+subBuckets)+1)<<shift - 1)
}

// Durations describes the durations of an operation.
type Durations struct {
	Count         int64
	Sum           time.Duration
	P50, P90, P99 time.Duration // quantiles, at most 1/8 too large; 0 without a count
	Max           time.Duration // at most 1/8 too large
}

func (h *histogram) snapshot() Durations {
	var counts [buckets]int64
	d := Durations{Sum: time.Duration(h.sum.Load())}
	for i := range counts {
		counts[i] = h.counts[i].Load()
		d.Count += counts[i]
	}
	passed := int64(0)
	for i, n := range counts {
		if n == 0 {
			continue
		}
		before := passed
		passed += n
		for _, q := range []struct {
			part   float64
			target *time.Duration
		}{{0.5, &d.P50}, {0.9, &d.P90}, {0.99, &d.P99}} {
			if rank := q.part * float64(d.Count); float64(before) < rank && rank <= float64(passed) {
				*q.target = upperBound(i)
			}
		}
		d.Max = upperBound(i)
	}
	return d
}
