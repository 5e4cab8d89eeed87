package simple

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

func count(b *Backend) int {
	defer b.lockAll()()
	total := 0
	for i := range b.shards {
		total += b.shards[i].table.Load().usage.nodes
	}
	return total
}

func fill(t testing.TB, b *Backend, prefix string, n int, ttl time.Duration) {
	t.Helper()
	for i := range n {
		must(t, b.Set(t.Context(), prefix+strconv.Itoa(i), nil, ttl))
	}
}

func countOf(t *testing.T, b *Backend, prefix string, n int) int {
	t.Helper()
	present := 0
	for i := range n {
		if ok, _ := b.Has(t.Context(), prefix+strconv.Itoa(i)); ok {
			present++
		}
	}
	return present
}

// EVI-1: the number of entries reaches the threshold and never exceeds it.
func TestThresholdIsReached(t *testing.T) {
	for _, threshold := range []int{1, 2, 3, 10, 500, 2000, 20_000} {
		t.Run(strconv.Itoa(threshold), func(t *testing.T) {
			b := newBackend(t, threshold)
			fill(t, b, "first", threshold, 0)
			if got := countOf(t, b, "first", threshold); got != threshold {
				t.Errorf("%d of the first %d entries are present", got, threshold)
			}
			for i := range 2 * threshold {
				must(t, b.Set(t.Context(), "more"+strconv.Itoa(i), nil, 0))
				if size := count(b); size != threshold {
					t.Fatalf("%d entries after %d more", size, i+1)
				}
			}
			checkShards(t, b)
		})
	}
}

func TestNoLimit(t *testing.T) {
	const keys = 100_000
	b := newBackend(t, NoLimit)
	fill(t, b, "", keys, 0)
	if got := countOf(t, b, "", keys); got != keys {
		t.Errorf("%d of %d entries are present", got, keys)
	}
	checkShards(t, b)
}

// EVI-2: unused entries are evicted alike, whether they expire or not.
func TestNeverExpiringAreNotEvictedFirst(t *testing.T) {
	const each = 250
	b := newBackend(t, 2*each)
	for i := range each {
		must(t, b.Set(t.Context(), "never"+strconv.Itoa(i), nil, 0))
		must(t, b.Set(t.Context(), "hour"+strconv.Itoa(i), nil, time.Hour))
	}
	fill(t, b, "new", each, time.Hour)
	never, hour := countOf(t, b, "never", each), countOf(t, b, "hour", each)
	if never < hour {
		t.Errorf("%d entries that never expire are present, and %d others", never, hour)
	}
}

// EVI-3: no live entry is evicted while there are expired ones, in any order of
// insertion and use.
func TestExpiredAreEvictedFirst(t *testing.T) {
	for _, threshold := range []int{2, 10, 500, 1900} {
		t.Run(strconv.Itoa(threshold), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBackend(t, threshold)
				half := threshold / 2
				for _, i := range rand.Perm(threshold) {
					if i < half {
						must(t, b.Set(t.Context(), "short"+strconv.Itoa(i), nil, time.Duration(i+1)*time.Millisecond))
					} else {
						must(t, b.Set(t.Context(), "long"+strconv.Itoa(i-half), nil, time.Hour))
					}
				}
				for range 9 {
					for i := range half {
						b.Get(t.Context(), "short"+strconv.Itoa(i))
					}
				}
				time.Sleep(time.Duration(half) * time.Millisecond)
				fill(t, b, "new", half, time.Hour)
				if long, fresh := countOf(t, b, "long", half), countOf(t, b, "new", half); long != half || fresh != half {
					t.Errorf("%d old and %d new entries are present, want %d each", long, fresh, half)
				}
				checkShards(t, b)
			})
		})
	}
}

// Entries are added, evicted and shortened while the sweep walks.
func TestExpiredAreEvictedFirstRepeatedly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const threshold, live = 100, 60
		b := newBackend(t, threshold)
		fill(t, b, "live", live, 0)
		for round := range 500 {
			key := strconv.Itoa(round)
			for i := range threshold - live {
				must(t, b.Set(t.Context(), fmt.Sprint(i, "of round ", key), nil, time.Hour))
				must(t, b.Set(t.Context(), fmt.Sprint(i, "of round ", key), nil, time.Millisecond))
			}
			if got := countOf(t, b, "live", live); got != live {
				t.Fatalf("round %d: %d of %d live entries are present", round, got, live)
			}
			time.Sleep(time.Millisecond)
		}
	})
}

// EVI-4, with all other entries in use.
func TestSetDoesNotEvictItsOwnEntry(t *testing.T) {
	for _, threshold := range []int{1, 2, 10, 500, 4000} {
		b := newBackend(t, threshold)
		fill(t, b, "old", threshold, time.Hour)
		for i := range 3 * threshold {
			for range maxUses + 1 {
				b.Get(t.Context(), "old"+strconv.Itoa(i%threshold))
			}
			key := "new" + strconv.Itoa(i)
			must(t, b.Set(t.Context(), key, nil, time.Hour))
			if ok, _ := b.Has(t.Context(), key); !ok {
				t.Fatalf("threshold %d: %s has been evicted", threshold, key)
			}
		}
	}
}

// A scan over many keys does not evict used entries.
func TestScanResistance(t *testing.T) {
	for _, threshold := range []int{500, 10_000} {
		b := newBackend(t, threshold)
		hot := threshold / 2
		fill(t, b, "hot", hot, time.Hour)
		for range 2 {
			for i := range hot {
				b.Get(t.Context(), "hot"+strconv.Itoa(i))
			}
		}
		fill(t, b, "scan", 3*threshold, time.Hour)
		if left := countOf(t, b, "hot", hot); left < hot*99/100 {
			t.Errorf("threshold %d: %d of %d used entries are present after a scan", threshold, left, hot)
		}
	}
}

// A key that is stored again soon after its eviction is kept longer than a new one.
func TestGhost(t *testing.T) {
	b := newBackend(t, 500)
	fill(t, b, "used", 500, time.Hour)
	for i := range 500 {
		b.Get(t.Context(), "used"+strconv.Itoa(i))
	}
	fill(t, b, "scan", 600, time.Hour)
	must(t, b.Set(t.Context(), "scan578", nil, time.Hour))
	fill(t, b, "other", 100, time.Hour)
	if ok, _ := b.Has(t.Context(), "scan578"); !ok {
		t.Error("a key that was stored again has been evicted")
	}
	if ok, _ := b.Has(t.Context(), "scan590"); ok {
		t.Error("a key of the scan is present")
	}
}

func TestGhostOrder(t *testing.T) {
	g := newGhost(ghostWays - 1)
	for hash := range uint32(ghostWays + 1) {
		g.remember(hash + 1)
	}
	for hash, want := range map[uint32]bool{1: false, 2: true, ghostWays + 1: true} {
		if g.recall(hash) != want {
			t.Errorf("recall(%d) = %v", hash, !want)
		}
		if g.recall(hash) {
			t.Errorf("%d is remembered after recall", hash)
		}
	}
}

// The places of deleted entries are reused.
func TestDeleteMakesRoom(t *testing.T) {
	for _, threshold := range []int{1, 10, 4000} {
		b := newBackend(t, threshold)
		for round := range 5 {
			prefix := strconv.Itoa(round) + ":"
			fill(t, b, prefix, threshold, 0)
			if got := countOf(t, b, prefix, threshold); got != threshold {
				t.Errorf("round %d: %d of %d entries are present", round, got, threshold)
			}
			for i := range threshold {
				if deleted, _ := b.Delete(t.Context(), prefix+strconv.Itoa(i)); !deleted {
					t.Fatalf("%s%d was not present", prefix, i)
				}
			}
			checkShards(t, b)
			for i := range b.shards {
				s := &b.shards[i]
				if len(s.queues.places) > s.share*3/2+int(numQueues) {
					t.Errorf("shard %d has %d places for %d entries", i, len(s.queues.places), s.share)
				}
			}
		}
	}
}
