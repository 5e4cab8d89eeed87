package simple

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// scan lists b, calls each after every entry, and returns how often each key was listed.
func scan(t *testing.T, b *Backend, each func(n int)) map[string]int {
	t.Helper()
	count := map[string]int{}
	n := 0
	for entry, err := range b.Scan(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		count[entry.Key]++
		n++
		each(n)
	}
	return count
}

// A scan lists every entry once, in shards of any number and while tables grow from their
// first size to their last.
func TestScanWhileTablesGrow(t *testing.T) {
	for _, threshold := range []int{100_000, NoLimit} {
		b := newBackend(t, threshold)
		const stay = 5000
		for i := range stay {
			b.Set(t.Context(), "stay"+strconv.Itoa(i), nil, time.Hour)
		}
		count := scan(t, b, func(n int) {
			if n%100 > 0 || n > stay {
				return
			}
			for i := range 200 {
				b.Set(t.Context(), fmt.Sprint("new", n, i), nil, 0)
				b.Delete(t.Context(), fmt.Sprint("new", n-100, i)) // which may be listed, and comes back
				b.Set(t.Context(), fmt.Sprint("new", n-100, i), nil, 0)
			}
		})
		for key, times := range count {
			if times > 1 {
				t.Fatalf("%s is listed %d times", key, times)
			}
		}
		for i := range stay {
			if key := "stay" + strconv.Itoa(i); count[key] != 1 {
				t.Fatalf("%s is listed %d times", key, count[key])
			}
		}
	}
}

// Keys of one bucket fill the buckets after it, also past the end of the table.
func TestScanOfFullBuckets(t *testing.T) {
	b := newBackend(t, 100)
	s := &b.shards[0]
	table := s.table.Load()
	last := len(table.buckets) - 1
	want := map[string]bool{}
	for i := 0; len(want) < 3*slotsPerBucket; i++ {
		key := strconv.Itoa(i)
		if home := table.home(uint32(b.hasher.hash(key))); home == last || home == last-1 {
			b.Set(t.Context(), key, []byte(key), 0)
			want[key] = true
		}
	}
	count := scan(t, b, func(int) {})
	for key := range want {
		if count[key] != 1 {
			t.Errorf("%s is listed %d times", key, count[key])
		}
	}
	if len(count) != len(want) {
		t.Errorf("%d keys are listed, want %d", len(count), len(want))
	}
}

func TestFirstHash(t *testing.T) {
	for _, buckets := range []int{1, 2, 3, 7, 251, 252, 4096, 100_003} {
		table := &table{buckets: make([]bucket, buckets)}
		for _, i := range []int{0, 1, buckets / 2, buckets - 1} {
			if i >= buckets {
				continue
			}
			first := table.firstHash(i)
			if table.home(uint32(first)) != i || first > 0 && table.home(uint32(first-1)) != i-1 {
				t.Errorf("%d buckets: the first hash of %d is %#x", buckets, i, first)
			}
		}
		if table.firstHash(buckets) != endOfHashes {
			t.Errorf("%d buckets: the end is %#x", buckets, table.firstHash(buckets))
		}
	}
}

func TestScanOfValues(t *testing.T) {
	b := newBackend(t, 100)
	b.Set(t.Context(), "bytes", []byte("123"), 0)
	b.SetValue(t.Context(), "value", "123", 0)
	want := map[string]int64{"bytes": 3, "value": -1}
	for entry := range b.Scan(t.Context(), "") {
		if entry.Size != want[entry.Key] || entry.TTL != 0 {
			t.Errorf("Scan lists %+v", entry)
		}
	}
}

func TestScanThatIsCleared(t *testing.T) {
	b := newBackend(t, NoLimit)
	ctx := t.Context()
	fill := func() {
		for i := range 20_000 {
			b.Set(ctx, strconv.Itoa(i), nil, 0)
		}
	}
	fill()
	for key, times := range scan(t, b, func(n int) {
		if n == 100 {
			b.Clear(ctx)
			fill()
		}
	}) {
		if times != 1 {
			t.Fatalf("%s is listed %d times", key, times)
		}
	}
	cancelled, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, tt := range []struct {
		ctx  context.Context
		end  func()
		want error
	}{{cancelled, cancel, context.Canceled}, {ctx, func() { b.Close() }, driver.ErrClosed}} {
		var last error
		for _, last = range b.Scan(tt.ctx, "") {
			tt.end()
		}
		if !errors.Is(last, tt.want) {
			t.Errorf("the scan ends with %v, want %v", last, tt.want)
		}
	}
}
