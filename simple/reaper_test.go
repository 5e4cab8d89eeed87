package simple

import (
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

func statsOf(t *testing.T, b *Backend) driver.Stats {
	t.Helper()
	stats, err := b.Stats(t.Context())
	must(t, err)
	return stats
}

// Nobody calls while entries expire: at most a minute later they are removed.
func TestExpiredEntriesAreRemovedWithoutCalls(t *testing.T) {
	for _, o := range []Options{{}, {Threshold: 4000}, {Threshold: NoLimit}, {MaxBytes: 64 << 20}} {
		synctest.Test(t, func(t *testing.T) {
			b := newBounded(t, o)
			const each = 100
			fill(t, b, "never", each, 0)
			fill(t, b, "second", each, time.Second)
			fill(t, b, "minute", each, time.Minute)
			fill(t, b, "hour", each, time.Hour)
			for _, step := range []struct {
				until         time.Duration
				least, expire int64
			}{
				{time.Second - 1, 4 * each, 0},
				{time.Second + time.Minute, 2 * each, 2 * each}, // the minute has not passed everywhere
				{2 * time.Minute, 2 * each, 2 * each},
				{time.Hour - 1, 2 * each, 2 * each},
				{time.Hour + time.Minute, each, 3 * each},
			} {
				time.Sleep(step.until - time.Duration(b.clock.now()))
				stats := statsOf(t, b)
				if stats.Entries < step.least || step.until != time.Second+time.Minute && (stats.Entries != step.least || stats.Expirations != step.expire) {
					t.Errorf("%+v after %v: %+v", o, step.until, stats)
				}
			}
			if due := b.reaper.due.Load(); due != never {
				t.Errorf("the timer still runs, until %v", time.Duration(due))
			}
			if stats := statsOf(t, b); stats.Evictions != 0 {
				t.Errorf("%d evictions", stats.Evictions)
			}
			checkShards(t, b)
			fill(t, b, "again", each, time.Second)
			time.Sleep(time.Minute)
			if stats := statsOf(t, b); stats.Entries != each || stats.Expirations != 4*each {
				t.Errorf("%+v: the timer did not start again: %+v", o, stats)
			}
		})
	}
}

// A deadline that is brought forward is met, and one that moves away is not removed.
func TestReaperFollowsReplacements(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackend(t, 0)
		for _, key := range []string{"sooner", "later"} {
			must(t, b.Set(t.Context(), key, nil, time.Hour))
		}
		must(t, b.Set(t.Context(), "sooner", nil, time.Second))
		must(t, b.Set(t.Context(), "later", nil, 2*time.Hour))
		time.Sleep(time.Minute)
		if got := statsOf(t, b); got.Entries != 1 || got.Expirations != 1 {
			t.Errorf("after a minute: %+v", got)
		}
		time.Sleep(90 * time.Minute)
		if got := statsOf(t, b); got.Entries != 1 || got.Expirations != 1 {
			t.Errorf("after 91 minutes: %+v", got)
		}
	})
}

func TestCloseStopsTheReaper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackend(t, 0)
		must(t, b.Set(t.Context(), "key", nil, time.Second))
		must(t, b.Close())
		if b.reaper.timer.Stop() {
			t.Error("the timer runs after Close")
		}
	})
}

// A table that expiry has emptied shrinks while entries are read, replaced and added.
func TestShrinkUnderLoad(t *testing.T) {
	for _, o := range []Options{{Threshold: NoLimit}, {MaxBytes: 64 << 20}} {
		b := newBounded(t, o)
		var done atomic.Bool
		reaped := make(chan struct{})
		go func() {
			defer close(reaped)
			for !done.Load() {
				b.reap()
			}
		}()
		const keys = 200
		fill(t, b, "stays", keys, 0)
		together(4, func(worker int) {
			for round := range 3 {
				for i := range 4000 { // they expire at once
					if err := b.Set(t.Context(), "expired"+strconv.Itoa(i+worker), nil, 1); err != nil {
						t.Error(err)
					}
					key := "stays" + strconv.Itoa(rand.IntN(keys))
					if i%4 == 0 {
						if err := b.Set(t.Context(), key, make([]byte, round*worker), 0); err != nil {
							t.Error(err)
						}
					}
					if _, ok, err := b.Get(t.Context(), key); !ok || err != nil {
						t.Errorf("%s: %v, %v", key, ok, err)
					}
				}
			}
		})
		done.Store(true)
		<-reaped
		b.reap()
		checkShards(t, b)
		if got := countOf(t, b, "stays", keys); got != keys {
			t.Errorf("%d of %d entries are present", got, keys)
		}
		for i := range b.shards {
			s := &b.shards[i]
			if s.isSparse() {
				t.Errorf("shard %d has %d buckets for %d entries", i, len(s.table.Load().buckets), s.table.Load().usage.nodes)
			}
		}
	}
}

// No key is missed while its node moves to a smaller table, and no replacement is lost.
func TestReadsDuringShrink(t *testing.T) {
	b := newBackend(t, 500)
	const keys = 100
	fill(t, b, "", keys, 0)
	var done atomic.Bool
	together(3, func(worker int) {
		if worker == 2 {
			for range 2000 {
				s := &b.shards[0]
				s.mu.Lock()
				s.shrink()
				s.mu.Unlock()
			}
			done.Store(true)
		}
		for i := 0; !done.Load(); i++ {
			if _, ok, err := b.Get(t.Context(), strconv.Itoa(i%keys)); !ok || err != nil {
				t.Errorf("%d: %v, %v", i%keys, ok, err)
			}
			key, value := strconv.Itoa(2*rand.IntN(keys/2)+worker), strconv.Itoa(i)
			if err := b.Set(t.Context(), key, []byte(value), 0); err != nil {
				t.Error(err)
			}
			if got, _, _ := b.Get(t.Context(), key); string(got) != value {
				t.Errorf("%s is %q, want %q", key, got, value)
			}
		}
	})
	checkShards(t, b)
}

// What has expired gives all of its memory back, that of tables and queues included.
func TestHeapAfterExpiry(t *testing.T) {
	const entries = 30_000
	before := heap()
	b := newBackend(t, NoLimit)
	empty := heap()
	for i := range entries {
		must(t, b.Set(t.Context(), strconv.Itoa(i), make([]byte, 100), time.Hour))
	}
	full := heap()
	for i := range entries {
		must(t, b.Set(t.Context(), strconv.Itoa(i), make([]byte, 100), 1))
	}
	b.reap()
	if after := heap(); after-empty > (full-empty)/20 {
		t.Errorf("the heap is %d bytes larger than that of an empty cache, of %d when it was full", after-empty, full-empty)
	} else {
		t.Logf("empty %d, full %d, after the expiry %d", empty-before, full-before, after-before)
	}
}

func TestStats(t *testing.T) {
	ctx := t.Context()
	b := newBounded(t, Options{Threshold: 10, MaxBytes: 10_000})
	fill(t, b, "", 15, 0)
	must(t, b.Set(ctx, "14", make([]byte, 1000), 0))
	n := &node{key: "14"}
	n.setBytes(nil)
	want := driver.Stats{Entries: 10, Bytes: 10*n.weight() + 1000, MaxBytes: 10_000, Evictions: 5}
	if got := statsOf(t, b); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	must(t, b.Clear(ctx))
	if got, want := statsOf(t, b), (driver.Stats{MaxBytes: 10_000, Evictions: 5}); got != want {
		t.Errorf("after Clear %+v, want %+v", got, want)
	}
	must(t, b.SetValue(ctx, "key", 1, 0))
	n.weigh(valueWeight)
	if got := statsOf(t, b); got.Bytes != n.weight() {
		t.Errorf("a Go value counts as %d bytes, want %d", got.Bytes, n.weight())
	}
}
