package conformance

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cachebackends/cachebackends/conformance/proxy"
	cache "github.com/cachebackends/cachebackends/core"
)

var addCases = []Case{
	{ID: "ADD-1", Name: "absent",
		Rule: "Add of an absent key returns true and stores value and TTL",
		Why:  "Locks are built on Add, and a lock that cannot be taken or never expires blocks every process.",
		run: func(t *attempt) {
			equal(t, "Add of an absent key", t.add("k", "v", time.Hour), true)
			t.hit("after Add", "k", "v")
			t.hasTTL("after Add with 1h", "k", time.Hour)
			t.delete("k")
			equal(t, "Add after Delete", t.add("k", "w", 0), true)
			t.hasTTL("after Add with 0", "k", 0)
		}},
	{ID: "ADD-2", Name: "present",
		Rule:  "Add of a present key returns false and keeps its value and TTL",
		Why:   "Otherwise a process that waits for a lock takes it over or extends it.",
		flags: needsTime, run: addOfPresent},
	{ID: "ADD-3", Name: "expired",
		Rule:  "Add of an expired key returns true and stores the new value",
		Why:   "One library returns false until the entry is pruned, and an expired lock cannot be taken.",
		flags: needsTime,
		run: func(t *attempt) {
			t.setExpired("k", "forever")
			equal(t, "Add of an expired key", t.add("k", "new", time.Hour), true)
			t.hit("after Add of an expired key", "k", "new")
			t.hasTTL("after Add of an expired key", "k", time.Hour)
			equal(t, "Add with ttl 0 of an expired key", t.add("forever", "new", 0), true)
			t.hasTTL("after Add with ttl 0 of an expired key", "forever", 0)
		}},
	{ID: "ADD-4", Name: "over_empty",
		Rule: "Add over a stored empty or null value returns false",
		Why:  "An Add that tests the value instead of the key gives a lock with an empty value to two processes.",
		run: func(t *attempt) {
			t.set("empty", "", time.Hour)
			t.set("null", "null", time.Hour)
			equal(t, "Add over an empty value", t.add("empty", "new", time.Hour), false)
			equal(t, "Add over null", t.add("null", "new", time.Hour), false)
			t.hit("after Add over it", "empty", "")
			t.hit("after Add over it", "null", "null")
		}},
	{ID: "ADD-5", Name: "one_winner",
		Rule:  "exactly one of several concurrent Adds of a key returns true, and its value is stored",
		Why:   "An Add that checks and then sets gives one lock to several callers.",
		flags: needsOwnStore,
		run: func(t *attempt) {
			for round := range t.fewer(50) {
				t.addRace(fmt.Sprintf("k%d", round), 8)
			}
		}},
	{ID: "ADD-6", Name: "one_winner_between_handles",
		Rule:     "4 handles to one store that add the same 3000 keys win exactly 3000 times in total",
		Why:      "A lock inside the process does not protect a store that several processes share.",
		Features: []Feature{Persistence}, flags: oneModeOnly | needsOwnStore,
		run: addRaceOfHandles},
	{ID: "ADD-7", Name: "losers_are_never_seen",
		Rule:  "the value of an Add that returns false is never visible",
		Why:   "An Add that creates the entry and then checks shows readers a value that was never stored.",
		flags: needsOwnStore,
		run: func(t *attempt) {
			t.set("k", "winner", time.Hour)
			t.concurrently(4, func(worker int) {
				for range 200 {
					if worker > 0 {
						equal(t, "Add of a present key", t.add("k", "loser", time.Hour), false)
						continue
					}
					t.hit("during Adds of others", "k", "winner")
				}
			})
		}},
	{ID: "ADD-8", Name: "lost_reply",
		Rule:     "an Add whose reply is lost returns ErrUnknownOutcome, never false with a nil error",
		Why:      "A retried Add finds its own entry and reports that another caller has the lock.",
		Features: []Feature{Network}, flags: oneModeOnly | needsOwnStore,
		run: addWithLostReply},
}

func addOfPresent(t *attempt) {
	ttl := t.withinTTL(func(ttl time.Duration) {
		t.set("long", "old", time.Hour)
		t.set("forever", "old", 0)
		t.set("brief", "old", ttl)
		for key, other := range map[string]time.Duration{"long": ttl, "forever": ttl, "brief": time.Hour} {
			added, err := t.handle.Add(t.ctx, key, []byte("new"), other)
			t.must("Add of a present key", err)
			if key != "brief" { // which may have expired on a busy machine
				equal(t, "Add of a present key", added, false)
			}
		}
	})
	t.hit("after Add of a present key", "long", "old")
	t.hasTTL("set with 1h, then Add with a short ttl", "long", time.Hour)
	t.hasTTL("set with 0, then Add with a short ttl", "forever", 0)
	t.pass(ttl + t.resolution())
	t.miss("set with a short ttl, then Add with 1h, after the short ttl", "brief")
	t.hit("set with 1h, then Add with a short ttl, after it", "long", "old")
	t.hit("set with 0, then Add with a short ttl, after it", "forever", "old")
}

// addRace lets n callers add key at once.
func (t *attempt) addRace(key string, n int) {
	var winners atomic.Int32
	var stored atomic.Value
	t.concurrently(n, func(i int) {
		mine := fmt.Sprintf("of-%d", i)
		added, err := t.handle.Add(t.ctx, key, []byte(mine), time.Hour)
		t.must("Add", err)
		if added {
			winners.Add(1)
			stored.Store(mine)
		}
	})
	equal(t, fmt.Sprintf("the number of %d concurrent Adds that return true", n), winners.Load(), 1)
	if winner, one := stored.Load().(string); one && winners.Load() == 1 {
		t.hit("after concurrent Adds, the value of the winner", key, winner)
	}
}

func addRaceOfHandles(t *attempt) {
	n := t.fewer(3000)
	handles := []*handle{t.handle}
	for range 3 {
		handles = append(handles, t.throughCache(cache.New(t.openAgain())))
	}
	var winners atomic.Int64
	const round = 20 // after which all wait: a handle that runs ahead has no competitor
	for begin := 0; begin < n; begin += round {
		t.concurrently(len(handles), func(i int) {
			for k := range round {
				key := fmt.Sprintf("k%d", begin+k)
				added, err := handles[i].Add(t.ctx, key, []byte{byte('a' + i)}, time.Hour)
				t.must("Add", err)
				if added {
					winners.Add(1)
				}
			}
		})
	}
	equal(t, fmt.Sprintf("Adds that return true, of 4 handles that add %d keys", n), winners.Load(), int64(n))
}

func addWithLostReply(t *attempt) {
	w := t.openProxied()
	w.untilLost(func(i int) error {
		w.inject(proxy.LostReply)
		begin := time.Now()
		added, err := w.handle.Add(t.ctx, fmt.Sprintf("k%d", i), []byte("v"), time.Hour)
		if !added || err != nil {
			t.isUnknown(fmt.Sprintf("Add whose reply was lost (it returned %v)", added), begin, err)
		}
		return err
	})
	w.recovers("a lost reply")
}
