package simple

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

func newBounded(t testing.TB, o Options) *Backend {
	t.Helper()
	b, err := New(t.Context(), o)
	must(t, err)
	t.Cleanup(func() { must(t, b.Close()) })
	return b
}

// bytesOf returns the memory of all entries.
func bytesOf(b *Backend) (total int64) {
	defer b.lockAll()()
	for i := range b.shards {
		total += b.shards[i].table.Load().usage.weight.Load()
	}
	return total
}

// randomSize is mostly small, and sometimes almost the bound.
func randomSize(most int64) int {
	size := 1 << rand.IntN(12)
	if rand.IntN(50) == 0 {
		size = int(most) * 9 / 10
	}
	return rand.IntN(size)
}

// Every operation that stores keeps within the bound.
func TestMaxBytes(t *testing.T) {
	for _, o := range []Options{
		{MaxBytes: 300},
		{MaxBytes: 64 << 10},
		{MaxBytes: 1 << 20, Threshold: 50},
		{MaxBytes: 16 << 20},
		{MaxBytes: 64 << 20, Threshold: 4000},
	} {
		t.Run(fmt.Sprint(o.MaxBytes, " bytes ", o.Threshold, " entries"), func(t *testing.T) {
			ctx := t.Context()
			o.Weight = func(value any) int64 { return int64(value.(int)) }
			b := newBounded(t, o)
			for i := range 5000 {
				key, size := strconv.Itoa(rand.IntN(5000)), randomSize(o.MaxBytes)
				ttl := time.Duration(rand.IntN(3)) * time.Hour
				var err error
				switch rand.IntN(8) {
				default:
					err = b.Set(ctx, key, zeros[:size:size], ttl)
				case 1:
					_, err = b.Add(ctx, key, zeros[:size:size], ttl)
				case 2:
					err = b.SetValue(ctx, key, size, ttl)
				case 3:
					_, err = b.Inc(ctx, key, 1, ttl)
				case 4:
					_, err = b.Delete(ctx, key)
				case 5:
					_, _, token, _ := b.Lease(ctx, key, time.Minute)
					_, err = b.Fill(ctx, key, token, zeros[:size:size], ttl)
				case 6:
					old, _, _ := b.Get(ctx, key)
					_, err = b.CompareAndSwap(ctx, key, old, zeros[:size:size], ttl)
				case 7:
					if rand.IntN(100) == 0 {
						err = b.ClearPrefix(ctx, strconv.Itoa(rand.IntN(100)))
					}
				}
				if err != nil && !errors.Is(err, driver.ErrNotInteger) && !(o.MaxBytes == 300 && errors.Is(err, driver.ErrTooLarge)) {
					t.Fatal(err)
				}
				if total := bytesOf(b); total > o.MaxBytes {
					t.Fatalf("%d bytes after %d operations", total, i+1)
				}
				if i%500 == 0 {
					checkShards(t, b)
				}
			}
			if total := bytesOf(b); o.Threshold == 0 && total < o.MaxBytes/20 {
				t.Errorf("only %d bytes are used", total)
			}
			must(t, b.Clear(ctx))
			checkShards(t, b)
		})
	}
}

func TestNothingIsEvictedBelowMaxBytes(t *testing.T) {
	const maxBytes = 40 << 20 // four shards
	b := newBounded(t, Options{MaxBytes: maxBytes})
	keys := 0
	for used := int64(0); ; keys++ {
		n := &node{key: strconv.Itoa(keys)}
		n.setBytes(make([]byte, 1<<rand.IntN(17)))
		if used += n.weight(); used > maxBytes {
			break
		}
		must(t, b.Set(t.Context(), n.key, make([]byte, n.size), 0))
	}
	if got := countOf(t, b, "", keys); got != keys {
		t.Errorf("%d of %d entries are present", got, keys)
	}
}

// A value that needs the whole bound evicts all others; a larger one evicts nothing.
func TestLargestValue(t *testing.T) {
	const maxBytes, most = 40 << 20, 40<<20 - overhead - 16
	ctx := t.Context()
	for name, store := range map[string]func(b *Backend, key string, value []byte) error{
		"Set": func(b *Backend, key string, value []byte) error { return b.Set(ctx, key, value, 0) },
		"Add": func(b *Backend, key string, value []byte) error { _, err := b.Add(ctx, key, value, 0); return err },
		"Fill": func(b *Backend, key string, value []byte) error {
			_, _, token, _ := b.Lease(ctx, key, time.Minute)
			_, err := b.Fill(ctx, key, token, value, 0)
			return err
		},
		"CompareAndSwap": func(b *Backend, key string, value []byte) error {
			if err := b.Set(ctx, key, nil, 0); err != nil {
				return err
			}
			_, err := b.CompareAndSwap(ctx, key, nil, value, 0)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBounded(t, Options{MaxBytes: maxBytes})
			fill(t, b, "small", 1000, 0)
			if err := store(b, "larger", make([]byte, most+1)); !errors.Is(err, driver.ErrTooLarge) {
				t.Errorf("a value above the bound: %v", err)
			}
			if got := countOf(t, b, "small", 1000); got != 1000 {
				t.Errorf("%d entries are left after the error", got)
			}
			must(t, store(b, "large", make([]byte, most)))
			if value, _, _ := b.Get(ctx, "large"); len(value) != most {
				t.Errorf("the value has %d bytes, want %d", len(value), most)
			}
			if total, entries := bytesOf(b), count(b); total != maxBytes || entries != 1 {
				t.Errorf("%d entries of %d bytes, want one of the bound", entries, total)
			}
			checkShards(t, b)
			must(t, b.Close())
			if err := store(b, "larger", make([]byte, most+1)); !errors.Is(err, driver.ErrClosed) {
				t.Errorf("after Close: %v", err)
			}
		})
	}
	b := newBounded(t, Options{MaxBytes: 100}) // too small for any entry
	if _, err := b.Inc(ctx, "key", 1, 0); !errors.Is(err, driver.ErrTooLarge) {
		t.Errorf("Inc: %v", err)
	}
	if err := b.SetValue(ctx, "key", 1, 0); !errors.Is(err, driver.ErrTooLarge) {
		t.Errorf("SetValue: %v", err)
	}
}

// An entry that grows to nearly the bound, and is alone in the main queue, evicts the small
// ones beside it.
func TestMaxBytesOfGrowingEntry(t *testing.T) {
	const maxBytes = 1 << 20
	b := newBounded(t, Options{MaxBytes: maxBytes})
	for size := maxBytes / 2; size < maxBytes-1<<10; size += 5 << 10 {
		for i := range 200 {
			must(t, b.Set(t.Context(), fmt.Sprint(size, i), nil, 0)) // new keys: the ghost does not know them
		}
		must(t, b.Set(t.Context(), "large", zeros[:size:size], 0))
		if got, ok, err := b.Get(t.Context(), "large"); len(got) != size || !ok || err != nil {
			t.Fatalf("after growth to %d bytes: %d bytes, %v, %v", size, len(got), ok, err)
		}
		if most := bytesOf(b); most > maxBytes {
			t.Fatalf("%d bytes, the bound is %d", most, maxBytes)
		}
	}
	checkShards(t, b)
}

// Large and small values of several goroutines compete for the room of all shards.
func TestMaxBytesUnderLoad(t *testing.T) {
	const maxBytes = 20 << 20
	b := newBounded(t, Options{MaxBytes: maxBytes})
	ctx := t.Context()
	var done atomic.Bool
	watched := make(chan int64)
	go func() {
		most := int64(0)
		for !done.Load() {
			most = max(most, bytesOf(b))
			runtime.Gosched()
		}
		watched <- most
	}()
	together(6, func(worker int) {
		for i := range 4000 {
			key := strconv.Itoa(rand.IntN(2000))
			size := randomSize(maxBytes)
			switch {
			case i%10 == 0:
				b.Delete(ctx, key)
			case worker == 0 && i%500 == 0:
				must(t, b.Clear(ctx))
			default:
				if err := b.Set(ctx, key, zeros[:size:size], time.Hour); err != nil {
					t.Error(err)
				}
			}
		}
	})
	done.Store(true)
	if most := <-watched; most > maxBytes {
		t.Errorf("up to %d bytes, the bound is %d", most, maxBytes)
	}
	checkShards(t, b)
}

// Replacements without a lock, growth of the table and Clear keep the count of bytes.
func TestBytesAreCountedUnderLoad(t *testing.T) {
	for _, o := range []Options{{Threshold: 4000}, {MaxBytes: 64 << 20}} {
		b := newBounded(t, o)
		together(4, func(worker int) {
			for i := range 5000 {
				b.Set(t.Context(), strconv.Itoa(rand.IntN(3000)), zeros[:i%100:i%100], 0)
				b.Set(t.Context(), "same", zeros[:i%50:i%50], 0)
				if worker == 0 && i%1000 == 0 {
					b.Clear(t.Context())
				}
			}
		})
		checkShards(t, b)
	}
}

var zeros = make([]byte, 64<<20)

// The heap at the bound is the bound.
func TestHeapAtMaxBytes(t *testing.T) {
	const maxBytes = 8 << 20
	for _, size := range []int{100, 1 << 10, 64 << 10} {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			before := heap()
			b := newBounded(t, Options{MaxBytes: maxBytes})
			for i := range 3 * maxBytes / 2 / (size + overhead) {
				must(t, b.Set(t.Context(), fmt.Sprintf("key:%016x", i), append([]byte{}, zeros[:size]...), time.Hour))
			}
			used := heap() - before
			if ratio := float64(used) / maxBytes; ratio < 0.9 || ratio > 1.1 {
				t.Errorf("the heap is %.3f of the bound", ratio)
			} else {
				t.Logf("the heap is %.3f of the bound, with %d entries", ratio, count(b))
			}
			runtime.KeepAlive(b)
		})
	}
}

// heap returns the bytes of live objects.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // a second one finishes the sweep of the first
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
