package simple

import (
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
)

func leaseOf(t testing.TB, b *Backend, key string, hold time.Duration) (token string) {
	t.Helper()
	_, ok, token, err := b.Lease(t.Context(), key, hold)
	must(t, err)
	if ok {
		t.Fatalf("Lease(%s): the key is present", key)
	}
	return token
}

func countLeases(b *Backend) int {
	defer b.lockAll()()
	total := 0
	for i := range b.shards {
		total += len(b.shards[i].leases.byKey)
	}
	return total
}

// One of several callers gets the lease, also of an expired key. Rule LSE-1.
func TestConcurrentLease(t *testing.T) {
	b := newBackend(t, 0)
	for round := range 300 {
		key := strconv.Itoa(round)
		if round%2 == 1 {
			must(t, b.Set(t.Context(), key, nil, 1))
		}
		var holders atomic.Int32
		together(4, func(int) {
			if leaseOf(t, b, key, time.Hour) != "" {
				holders.Add(1)
			}
		})
		if holders.Load() != 1 {
			t.Fatalf("%d callers hold the lease of %s", holders.Load(), key)
		}
	}
}

// After every kind of invalidation, no reader gets a value that was loaded before it.
// Rules LSE-3 and LSE-8.
func TestNoStaleFill(t *testing.T) {
	invalidations := map[string]func(b *Backend, version int64) error{
		"Delete": func(b *Backend, _ int64) error {
			_, err := b.Delete(t.Context(), "key")
			return err
		},
		"Set": func(b *Backend, version int64) error {
			return b.Set(t.Context(), "key", strconv.AppendInt(nil, version, 10), 0)
		},
		"Set of an entry that expires at once": func(b *Backend, version int64) error {
			return b.Set(t.Context(), "key", strconv.AppendInt(nil, version, 10), 1)
		},
		"Clear":       func(b *Backend, _ int64) error { return b.Clear(t.Context()) },
		"ClearPrefix": func(b *Backend, _ int64) error { return b.ClearPrefix(t.Context(), "k") },
	}
	for name, invalidate := range invalidations {
		t.Run(name, func(t *testing.T) {
			b := newBackend(t, 0)
			var source, filled atomic.Int64
			var stop atomic.Bool
			load := func() {
				_, ok, token, err := b.Lease(t.Context(), "key", time.Minute)
				must(t, err)
				if ok || token == "" {
					return
				}
				value := strconv.AppendInt(nil, source.Load(), 10)
				runtime.Gosched()
				done, err := b.Fill(t.Context(), "key", token, value, time.Hour)
				must(t, err)
				if done {
					filled.Add(1)
				}
			}
			together(4, func(worker int) {
				if worker > 0 {
					for !stop.Load() {
						load()
					}
					return
				}
				defer stop.Store(true)
				for version := int64(1); version < 5000 || filled.Load() == 0; version++ {
					source.Store(version)
					must(t, invalidate(b, version))
					value, ok, err := b.Get(t.Context(), "key")
					must(t, err)
					if ok && string(value) != strconv.FormatInt(version, 10) {
						t.Errorf("Get = %s after the invalidation of version %d", value, version)
						return
					}
					if version%8 == 0 { // the others get a turn
						_, err := b.Delete(t.Context(), "key")
						must(t, err)
						runtime.Gosched()
					}
				}
			})
			checkShards(t, b)
		})
	}
}

// A lease needs no room, and survives the eviction of all other entries.
func TestLeaseAndEviction(t *testing.T) {
	b := newBackend(t, 10)
	token := leaseOf(t, b, "leased", time.Hour)
	fill(t, b, "first", 10, 0)
	if got := countOf(t, b, "first", 10); got != 10 {
		t.Errorf("%d of 10 entries are present", got)
	}
	fill(t, b, "more", 100, 0)
	if ok, err := b.Fill(t.Context(), "leased", token, nil, 0); !ok || err != nil {
		t.Errorf("Fill = %v, %v", ok, err)
	}
	if got := count(b); got != 10 {
		t.Errorf("%d entries", got)
	}
	checkShards(t, b)
}

// Leases whose holders died are removed while others are taken, and by a write after
// all of them have ended.
func TestEndedLeasesAreRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackend(t, 0)
		for i := range 20_000 {
			leaseOf(t, b, strconv.Itoa(i), 100*time.Microsecond)
			time.Sleep(time.Microsecond)
			if got := countLeases(b); got > 300 {
				t.Fatalf("%d leases are kept; 100 are held", got)
			}
		}
		time.Sleep(time.Second)
		must(t, b.Set(t.Context(), "key", nil, 0))
		if got := countLeases(b); got != 0 {
			t.Errorf("%d leases are kept; none is held", got)
		}
	})
}

// Neither a lease nor the filled entry keeps the memory of the caller's key. Rule
// RES-1.
func TestLeaseCopiesKey(t *testing.T) {
	b := newBackend(t, 0)
	text := []byte("key")
	key := unsafe.String(&text[0], len(text))
	token := leaseOf(t, b, key, time.Hour)
	copy(text, "yek")
	if leaseOf(t, b, "key", time.Hour) != "" {
		t.Fatal("the lease has the key of the caller")
	}
	copy(text, "key")
	if ok, err := b.Fill(t.Context(), key, token, nil, 0); !ok || err != nil {
		t.Fatalf("Fill = %v, %v", ok, err)
	}
	copy(text, "yek")
	if ok, _ := b.Has(t.Context(), "key"); !ok {
		t.Error("the entry has the key of the caller")
	}
}

// CompareAndSwapValue compares pointers, and bytes equal no Go value.
func TestCompareAndSwapValue(t *testing.T) {
	ctx := t.Context()
	b := newBackend(t, 0)
	one, two := new(int), new(int)
	swap := func(old, value any, want bool) {
		t.Helper()
		if swapped, err := b.CompareAndSwapValue(ctx, "key", old, value, time.Hour); swapped != want || err != nil {
			t.Fatalf("CompareAndSwapValue = %v, %v; want %v", swapped, err, want)
		}
	}
	swap(one, two, false)
	swap(nil, two, false)
	must(t, b.SetValue(ctx, "key", one, time.Hour))
	swap(two, one, false)
	swap(one, two, true)
	if value, ok, err := b.GetValue(ctx, "key"); value != any(two) || !ok || err != nil {
		t.Errorf("GetValue = %v, %v, %v", value, ok, err)
	}
	must(t, b.Set(ctx, "key", []byte("bytes"), time.Hour))
	swap(two, one, false)
}
