package observe

import (
	"math"
	"testing"
	"time"
)

// Each duration is in one bucket, whose bound is at most 1/8 larger.
func TestBuckets(t *testing.T) {
	for _, d := range []time.Duration{-1, 0, 1, 7, 8, 9, 15, 16, 17, 1023, 1024, 1e6, 1e9 + 1, 1 << 40, math.MaxInt64 - 1, math.MaxInt64} {
		b := bucketOf(d)
		if b < 0 || b >= buckets {
			t.Fatalf("%d is in bucket %d of %d", d, b, buckets)
		}
		bound := upperBound(b)
		if bound < d || float64(bound) > float64(max(d, 0))*9/8 {
			t.Errorf("%d is in the bucket up to %d", d, bound)
		}
		if b > 0 && upperBound(b-1) >= max(d, 0) {
			t.Errorf("%d is also in the bucket up to %d", d, upperBound(b-1))
		}
	}
}

func TestQuantiles(t *testing.T) {
	var h histogram
	if got := h.snapshot(); got != (Durations{}) {
		t.Errorf("without a duration: %+v", got)
	}
	var sum time.Duration
	for i := range 1000 {
		d := time.Duration(i+1) * time.Millisecond
		h.add(d)
		sum += d
	}
	got := h.snapshot()
	for name, q := range map[string][2]time.Duration{
		"p50": {got.P50, 500 * time.Millisecond},
		"p90": {got.P90, 900 * time.Millisecond},
		"p99": {got.P99, 990 * time.Millisecond},
		"max": {got.Max, time.Second},
	} {
		if q[0] < q[1] || q[0] > q[1]*9/8 {
			t.Errorf("%s = %v, want %v to 1/8 more", name, q[0], q[1])
		}
	}
	if got.Count != 1000 || got.Sum != sum {
		t.Errorf("got %d, %v", got.Count, got.Sum)
	}
}
