package simple

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// together runs n goroutines of f and waits for them.
func together(n int, f func(worker int)) {
	var group sync.WaitGroup
	for worker := range n {
		group.Go(func() { f(worker) })
	}
	group.Wait()
}

// The number of entries never exceeds the threshold.
func TestThresholdUnderConcurrentWrites(t *testing.T) {
	for _, threshold := range []int{1, 10, 500, 4000} {
		t.Run(strconv.Itoa(threshold), func(t *testing.T) {
			b := newBackend(t, threshold)
			var stop atomic.Bool
			var watcher sync.WaitGroup
			watcher.Go(func() {
				for !stop.Load() {
					if size := count(b); size > threshold {
						t.Errorf("%d entries", size)
						return
					}
				}
			})
			together(8, func(worker int) {
				random := rand.New(rand.NewPCG(uint64(worker), 1))
				for range 3000 {
					key := strconv.Itoa(random.IntN(2 * threshold))
					switch random.IntN(8) {
					case 0:
						b.Delete(t.Context(), key)
					case 1:
						b.Inc(t.Context(), key, 1, time.Microsecond)
					default:
						b.Set(t.Context(), key, nil, time.Duration(random.IntN(2))*time.Millisecond)
					}
					b.Get(t.Context(), key)
				}
			})
			stop.Store(true)
			watcher.Wait()
			checkShards(t, b)
		})
	}
}

// Each writer reads its own last write while the table grows: no replacement is lost
// in an old table, and no key is missed.
func TestConcurrentTableGrowth(t *testing.T) {
	b := newBackend(t, NoLimit)
	var stop atomic.Bool
	var growth sync.WaitGroup
	growth.Go(func() {
		fill(t, b, "filler", 50_000, 0)
		stop.Store(true)
	})
	together(4, func(worker int) {
		key := "own" + strconv.Itoa(worker)
		for i := 0; !stop.Load(); i++ {
			must(t, b.Set(t.Context(), key, strconv.AppendInt(nil, int64(i), 10), 0))
			value, ok, err := b.Get(t.Context(), key)
			if err != nil || !ok || string(value) != strconv.Itoa(i) {
				t.Errorf("%s: Get = %q, %v, %v after Set of %d", key, value, ok, err, i)
				return
			}
		}
	})
	growth.Wait()
	checkShards(t, b)
}

// One of several concurrent Adds wins, and its value is stored.
func TestConcurrentAdd(t *testing.T) {
	b := newBackend(t, 0)
	for round := range 300 {
		key := strconv.Itoa(round)
		if round%2 == 1 { // also over an expired entry
			must(t, b.Set(t.Context(), key, nil, 1))
		}
		var winner atomic.Pointer[string]
		together(4, func(worker int) {
			value := fmt.Sprint("of worker ", worker)
			added, err := b.Add(t.Context(), key, []byte(value), time.Hour)
			must(t, err)
			if added && !winner.CompareAndSwap(nil, &value) {
				t.Errorf("two Adds of %s succeeded", key)
			}
		})
		if value, _, _ := b.Get(t.Context(), key); winner.Load() == nil || string(value) != *winner.Load() {
			t.Fatalf("the value is %q", value)
		}
	}
}

func TestConcurrentInc(t *testing.T) {
	for _, threshold := range []int{0, NoLimit} {
		b := newBackend(t, threshold)
		together(8, func(int) {
			for range 1000 {
				if _, err := b.Inc(t.Context(), "counter", 1, 0); err != nil {
					t.Error(err)
				}
				if threshold == NoLimit { // moves the table
					b.Set(t.Context(), strconv.Itoa(rand.Int()), nil, 0)
				}
			}
		})
		if value, _, _ := b.Get(t.Context(), "counter"); string(value) != "8000" {
			t.Errorf("the counter is %s, want 8000", value)
		}
	}
}

// Every entry that was added is either present or was deleted once.
func TestConcurrentAddAndDelete(t *testing.T) {
	b := newBackend(t, 0)
	const keys = 3
	var balance atomic.Int64
	together(8, func(worker int) {
		for i := range 3000 {
			key := strconv.Itoa(i % keys)
			switch worker % 4 {
			case 0, 1:
				if added, _ := b.Add(t.Context(), key, []byte("1"), 0); added {
					balance.Add(1)
				}
			case 2:
				if deleted, _ := b.Delete(t.Context(), key); deleted {
					balance.Add(-1)
				}
			case 3: // replaces the node
				if n, slot, t, _ := b.shards[0].find(b.hasher.hash(key), key); n != nil {
					b.shards[0].replace(t, slot, n, &node{key: key, value: n.value, size: n.size, deadline: never, hash: n.hash, units: n.units})
				}
			}
		}
	})
	if left := countOf(t, b, "", keys); int64(left) != balance.Load() {
		t.Errorf("%d keys are present, want %d Adds less Deletes", left, balance.Load())
	}
	checkShards(t, b)
}

func TestClearAndCloseUnderLoad(t *testing.T) {
	for _, threshold := range []int{100, NoLimit} {
		b := newBackend(t, threshold)
		together(8, func(worker int) {
			for i := range 2000 {
				key := strconv.Itoa((i * (worker + 1)) % 300)
				errs := []error{
					b.Set(t.Context(), key, []byte(key), time.Hour),
				}
				value, ok, err := b.Get(t.Context(), key)
				if ok && string(value) != key {
					t.Errorf("%s has the value %q", key, value)
				}
				errs = append(errs, err)
				switch {
				case worker == 0 && i%50 == 0:
					errs = append(errs, b.Clear(t.Context()))
				case worker == 1 && i%50 == 0:
					errs = append(errs, b.ClearPrefix(t.Context(), "1"))
				case worker == 2 && i == 1500:
					errs = append(errs, b.Close())
				}
				for _, err := range errs {
					if err != nil && !errors.Is(err, driver.ErrClosed) {
						t.Error(err)
					}
				}
			}
		})
		if err := b.Set(t.Context(), "key", nil, 0); !errors.Is(err, driver.ErrClosed) {
			t.Errorf("Set after Close: %v", err)
		}
	}
}

func TestEntryCountAfterConcurrentClear(t *testing.T) {
	b := newBackend(t, 4000)
	together(4, func(worker int) {
		for i := range 5000 {
			b.Set(t.Context(), strconv.Itoa(i*worker), nil, 0)
			b.Delete(t.Context(), strconv.Itoa(i))
			if i%500 == 0 {
				b.Clear(t.Context())
			}
		}
	})
	checkShards(t, b)
}
