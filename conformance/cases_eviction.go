package conformance

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// threshold is the number of entries that the stores in these cases hold.
const threshold = 100

var evictionCases = []Case{
	{ID: "EVI-1", Name: "size_stays_within_threshold",
		Rule:     "a bounded store holds at most threshold + 1 entries, whichever operation stores them",
		Why:      "A cache that ignores its limit fills the memory or the disk.",
		Features: []Feature{Threshold}, flags: oneModeOnly,
		run: func(t *attempt) {
			for _, b := range births {
				if t.supports(b.needs) {
					t.staysBounded(b)
				}
			}
		}},
	{ID: "EVI-2", Name: "never_expiring_are_not_first",
		Rule:     "entries that never expire are not evicted first",
		Why:      "Their expiry 0 is the lowest, and two libraries that sort by expiry evict these entries first.",
		Features: []Feature{Threshold}, flags: oneModeOnly,
		run: func(t *attempt) {
			b := t.openBounded()
			forever, mortal := keys("forever", threshold/2), keys("mortal", threshold/2)
			for i := range forever {
				t.setIn(b, mortal[i], time.Hour)
				t.setIn(b, forever[i], 0)
			}
			for _, key := range keys("more", threshold/4) {
				t.setIn(b, key, time.Hour)
			}
			foreverLeft, mortalLeft := t.countIn(b, forever), t.countIn(b, mortal)
			if foreverLeft < len(forever) && mortalLeft == len(mortal) {
				t.wrong("entries evicted of 50 that never expire, while none of 50 others is",
					len(forever)-foreverLeft, text("evictions among both"))
			}
		}},
	{ID: "EVI-3", Name: "expired_go_first",
		Rule:     "expired entries are evicted before live ones",
		Why:      "Otherwise live entries are lost while expired entries stay.",
		Features: []Feature{Threshold}, flags: oneModeOnly | needsTime,
		run: func(t *attempt) {
			b := t.openBounded()
			live, expired, ttl := keys("live", threshold/2), keys("expired", threshold/2), t.shortTTL()
			for i := range live {
				t.setIn(b, live[i], time.Hour)
				t.setIn(b, expired[i], ttl)
			}
			t.pass(ttl + t.resolution())
			more := keys("more", threshold/4)
			for _, key := range more {
				t.setIn(b, key, time.Hour)
			}
			equal(t, "live entries left of 50 after 25 Sets into a store of 100 that holds 50 expired ones", t.countIn(b, live), len(live))
			equal(t, "new entries left of 25", t.countIn(b, more), len(more))
		}},
	{ID: "EVI-4", Name: "own_entry_stays",
		Rule:     "Set, Add and Inc do not evict the entry that they store",
		Why:      "Otherwise a full cache stops caching new data without an error.",
		Features: []Feature{Threshold}, flags: oneModeOnly,
		run: func(t *attempt) {
			b := t.openBounded()
			for i, key := range keys("k", 3*threshold) {
				ttl := []time.Duration{0, time.Hour, time.Minute}[i%3]
				t.setIn(b, key, ttl)
				t.presentIn(b, key, fmt.Sprintf("Set(%s, ttl %v)", key, ttl))
				if added, err := b.Add(t.ctx, key+"add", []byte("v"), ttl); err != nil || !added {
					t.stop("Add in a full store", text(fmt.Sprint(added, err)), true)
				}
				t.presentIn(b, key+"add", "Add")
			}
			if t.supports(Counter) {
				t.inBounded(func() {
					for _, key := range keys("n", 2*threshold) {
						t.inc(key, 1, time.Hour)
						t.hit("right after Inc of an absent key in a full store", key, "1")
					}
				})
			}
		}},
	{ID: "EVI-5", Name: "cost_is_bounded",
		Rule:     "at the threshold, the cost of a Set does not depend on the number of entries",
		Why:      "A scan of the whole store for each Set makes a full cache slower than no cache.",
		Features: []Feature{Threshold}, flags: oneModeOnly | needsOwnStore,
		run: evictionCost},
	{ID: "EVI-6", Name: "overwrite_evicts_nothing",
		Rule:     "no entry is evicted by an operation that needs no more room: on a present key of a full store, or after as many deletions",
		Why:      "Otherwise a full cache loses an entry at each update; if a backend never counts deletions, its cache shrinks to one entry.",
		Features: []Feature{Threshold}, flags: oneModeOnly,
		run: func(t *attempt) {
			overwriteEvictsNothing(t)
			deletionsMakeRoom(t)
		}},
}

// deletionsMakeRoom stores and removes many entries, while others must stay.
func deletionsMakeRoom(t *attempt) {
	for _, verb := range []string{"Delete", "DeleteMany", "Clear with a prefix"} {
		if verb == "Clear with a prefix" && !t.supports(PrefixClear) {
			continue
		}
		t.inBounded(func() {
			stay := keys("stay", threshold/2)
			births[0].store(t, stay, time.Hour)
			for round := range 3 * threshold / 10 {
				list := keys(fmt.Sprintf("leave%d-", round), 10)
				births[round%3].store(t, list, time.Hour)
				switch verb {
				case "Delete":
					for _, key := range list {
						t.delete(key)
					}
				case "DeleteMany":
					t.deleteMany(list...)
				default:
					t.must(verb, t.handle.ClearPrefix(t.ctx, "leave"))
				}
			}
			for i, value := range t.getMany(stay...) {
				if value == nil {
					t.stop(fmt.Sprintf("after %s of each of %d entries, 10 at a time, beside %d in a store of %d: Get(%s)",
						verb, 3*threshold, len(stay), threshold, stay[i]), text("a miss"), text("a hit"))
				}
			}
		})
	}
}

// inBounded opens a bounded store and lets the steps use it.
func (t *attempt) inBounded(use func()) {
	first := t.handle
	defer func() { t.handle = first }()
	t.handle = t.openStore(t.harness.Stores.Bounded(t.test, threshold))
	use()
}

// staysBounded stores 5 times as many entries as the store may hold.
func (t *attempt) staysBounded(b birth) {
	t.inBounded(func() {
		list := keys("k", 5*threshold)
		for chunk := range slices.Chunk(list, 10) {
			b.store(t, chunk, time.Hour)
		}
		count := func() (n int) {
			for _, value := range t.getMany(list...) {
				if value != nil {
					n++
				}
			}
			return n
		}
		n := count()
		for range 500 { // of 10 ms
			if n <= threshold+1 || !t.harness.declares(LateEviction) {
				break
			}
			t.pass(10 * time.Millisecond)
			n = count()
		}
		if n > threshold+1 || n == 0 {
			t.wrong(fmt.Sprintf("entries after %s of %d keys in a store of %d", b.name, len(list), threshold), n, text("1 to 101"))
		}
	})
}

// overwriteEvictsNothing uses every entry of a full store once more.
func overwriteEvictsNothing(t *attempt) {
	for _, again := range births {
		if !t.supports(again.needs) {
			continue
		}
		t.inBounded(func() {
			births[0].store(t, keys("k", 2*threshold), time.Hour)
			present := t.remaining(keys("k", 2*threshold))
			for _, key := range present {
				t.useAgain(again.name, key)
			}
			for i, value := range t.getMany(present...) {
				if value == nil {
					t.stop(fmt.Sprintf("after %s of each of the %d keys in a store of %d: Get(%s)", again.name, len(present), threshold, present[i]),
						text("a miss"), text("a hit"))
				}
			}
		})
	}
}

// remaining returns those of keys that are present after the evictions that writes have
// begun: a backend may end an eviction after the write that needed it.
func (t *attempt) remaining(keys []string) (present []string) {
	for unchanged := 0; unchanged < 5; unchanged++ {
		before := len(present)
		present = present[:0]
		for i, value := range t.getMany(keys...) {
			if value != nil {
				present = append(present, keys[i])
			}
		}
		if len(present) != before {
			unchanged = 0
		}
		t.pass(20 * time.Millisecond)
	}
	return present
}

// useAgain calls the operation that name names on a present key.
func (t *attempt) useAgain(name, key string) {
	switch name {
	case "Set":
		t.set(key, "8", time.Minute)
	case "SetMany":
		t.setMany(map[string]string{key: "8"}, time.Minute)
	case "Add":
		equal(t, "Add of the present key "+show(key), t.add(key, "8", time.Minute), false)
	case "Inc":
		t.inc(key, 1, time.Minute)
	}
}

// openBounded opens an empty store of threshold entries, closed after the case.
func (t *attempt) openBounded() driver.Backend {
	b := t.harness.Stores.Bounded(t.test, threshold)
	t.toClose = append(t.toClose, b)
	return t.show(b)
}

func (t *attempt) setIn(b driver.Backend, key string, ttl time.Duration) {
	t.must("Set in a bounded store", b.Set(t.ctx, key, []byte("v"), ttl))
}

// countIn returns how many of keys are present in b.
func (t *attempt) countIn(b driver.Backend, keys []string) int {
	n := 0
	for _, key := range keys {
		_, ok, err := b.Get(t.ctx, key)
		t.must("Get in a bounded store", err)
		if ok {
			n++
		}
	}
	return n
}

func (t *attempt) presentIn(b driver.Backend, key, after string) {
	if t.countIn(b, []string{key}) == 0 {
		t.stop("Get right after "+after+" in a full store", text("a miss"), text("a hit"))
	}
}

// evictionCost compares Sets into a full store of many entries with Sets into a
// full store of few.
func evictionCost(t *attempt) {
	sets, large := t.fewer(2000), t.fewer(5000)
	timeOfSets := func(size int) time.Duration {
		b := t.harness.Stores.Bounded(t.test, size)
		defer b.Close()
		for _, key := range keys("fill", size) {
			t.setIn(b, key, time.Hour)
		}
		list := keys("k", sets)
		begin := time.Now()
		for _, key := range list {
			t.setIn(b, key, time.Hour)
		}
		return time.Since(begin)
	}
	few, many := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
	for range 4 { // a busy machine prolongs some of them
		few = min(few, timeOfSets(10))
	}
	for range 3 {
		many = min(many, timeOfSets(large))
		// With a scan per Set it would be about a hundred times as much.
		if many <= 20*few+50*time.Millisecond {
			return
		}
	}
	t.wrong(fmt.Sprintf("%d Sets into a full store of %d entries (%v into one of 10)", sets, large, few), many,
		text("at most "+(20*few+50*time.Millisecond).String()))
}
