package conformance

import (
	"fmt"
	"sync/atomic"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

var addCases = []Case{
	{ID: "ADD-1", Name: "absent",
		Rule: "Add of an absent key is true and stores value and ttl",
		Why:  "locks are made of it",
		Run: func(t *T) {
			Equal(t, "Add of an absent key", t.Add("k", "v", time.Hour), true)
			t.Hit("after Add", "k", "v")
			t.Life("after Add with 1h", "k", time.Hour)
			t.Delete("k")
			Equal(t, "Add after Delete", t.Add("k", "w", 0), true)
			t.Life("after Add with 0", "k", 0)
		}},
	{ID: "ADD-2", Name: "present",
		Rule:   "Add of a present key is false and keeps its value and expiry",
		Why:    "a lock that is taken over, or prolonged by those who wait for it",
		traits: waits,
		Run: func(t *T) {
			ttl := t.Brief()
			t.Within(ttl, func() {
				t.Set("long", "old", time.Hour)
				t.Set("forever", "old", 0)
				t.Set("brief", "old", ttl)
				for key, other := range map[string]time.Duration{"long": ttl, "forever": ttl, "brief": time.Hour} {
					added, err := t.try.Add(t.ctx, key, []byte("new"), other)
					t.Ok("Add of a present key", err)
					if key != "brief" {
						Equal(t, "Add of a present key", added, false)
					}
				}
			})
			t.Hit("after Add of a present key", "long", "old")
			t.Life("set with 1h, then Add with a brief ttl", "long", time.Hour)
			t.Life("set with 0, then Add with a brief ttl", "forever", 0)
			t.pass(ttl + t.harness.Resolution)
			t.Miss("set with a brief life that is over, Add with 1h between", "brief")
			t.Hit("set with 1h, then Add with a brief ttl that is over", "long", "old")
			t.Hit("set with 0, then Add with a brief ttl that is over", "forever", "old")
		}},
	{ID: "ADD-3", Name: "expired",
		Rule:   "Add of an expired key is true and stores the new value",
		Why:    "one library returns false for ever, until something prunes",
		traits: waits,
		Run: func(t *T) {
			t.Expired("k")
			Equal(t, "Add over an expired entry", t.Add("k", "new", time.Hour), true)
			t.Hit("after Add over an expired entry", "k", "new")
			t.Life("after Add over an expired entry", "k", time.Hour)
		}},
	{ID: "ADD-4", Name: "over_empty",
		Rule: "Add over a stored empty or null value is false",
		Why:  "an Add that looks at the value first",
		Run: func(t *T) {
			t.Set("empty", "", time.Hour)
			t.Set("null", "null", time.Hour)
			Equal(t, "Add over an empty value", t.Add("empty", "new", time.Hour), false)
			Equal(t, "Add over null", t.Add("null", "new", time.Hour), false)
			t.Hit("after Add over it", "empty", "")
			t.Hit("after Add over it", "null", "null")
		}},
	{ID: "ADD-5", Name: "one_winner",
		Rule:   "of many callers at once one Add is true, and its value is stored",
		Why:    "check, then set",
		traits: private,
		Run: func(t *T) {
			for round := range t.fewer(50) {
				t.race(fmt.Sprintf("k%d", round), t.try, t.try, t.try, t.try, t.try, t.try, t.try, t.try)
			}
		}},
	{ID: "ADD-6", Name: "one_winner_between_handles",
		Rule:     "4 handles on one store adding 3000 keys have exactly 3000 winners",
		Why:      "check, then write gave 3232 between processes",
		Features: []Feature{Persistence}, traits: once | private,
		Run: handlesRace},
	{ID: "ADD-7", Name: "losers_are_never_seen",
		Rule:   "the value of an Add that loses is never visible, not even for a moment",
		Why:    "create, then write",
		traits: private,
		Run: func(t *T) {
			t.Set("k", "winner", time.Hour)
			t.Go(4, func(worker int) {
				for range 200 {
					if worker > 0 {
						Equal(t, "Add of a present key", t.Add("k", "loser", time.Hour), false)
						continue
					}
					t.Hit("while others try to Add", "k", "winner")
				}
			})
		}},
	{ID: "ADD-8", Name: "lost_reply",
		Rule:     "an Add that loses its reply is ErrUnknownOutcome, never (false, nil)",
		Why:      "a repeated Add answers that the key is there: it is, by our own doing",
		Features: []Feature{Network}, traits: once | private,
		Run: lostAdd},
	{ID: "DEL-1", Name: "present_absent_expired",
		Rule:   "Delete of a present key is true, of an absent or expired one false",
		Why:    "one store of a library says true for absent keys, another false for present ones",
		traits: waits,
		Run: func(t *T) {
			t.Set("k", "v", time.Hour)
			t.Set("empty", "", time.Hour)
			Equal(t, "Delete of a present key", t.Delete("k"), true)
			Equal(t, "Delete of a key with an empty value", t.Delete("empty"), true)
			Equal(t, "Delete of an absent key", t.Delete("absent"), false)
			t.Expired("expired")
			Equal(t, "Delete of an expired key", t.Delete("expired"), false)
		}},
	{ID: "DEL-2", Name: "twice",
		Rule: "a second Delete is false, and Get after Delete is a miss",
		Why:  "entries that come back",
		Run: func(t *T) {
			t.Set("k", "v", time.Hour)
			t.Delete("k")
			t.Miss("after Delete", "k")
			Equal(t, "a second Delete", t.Delete("k"), false)
			Equal(t, "Has after Delete", t.Has("k"), false)
		}},
}

// race lets each of handles Add key at once.
func (t *T) race(key string, handles ...*store) {
	var winners atomic.Int32
	var stored atomic.Value
	t.Go(len(handles), func(i int) {
		mine := fmt.Sprintf("of-%d", i)
		added, err := handles[i].Add(t.ctx, key, []byte(mine), time.Hour)
		t.Ok("Add", err)
		if added {
			winners.Add(1)
			stored.Store(mine)
		}
	})
	Equal(t, fmt.Sprintf("winners among %d callers of Add at once", len(handles)), winners.Load(), 1)
	if winner, one := stored.Load().(string); one && winners.Load() == 1 {
		t.Hit("after Add by many at once, the winner's value", key, winner)
	}
}

func handlesRace(t *T) {
	n := t.fewer(3000)
	handles := []*store{t.try}
	for range 3 {
		other := t.reopen(t.first)
		defer other.Close()
		handles = append(handles, &store{cache: cache.New(other), prefix: t.try.prefix, recorder: t.try.recorder})
	}
	var winners atomic.Int64
	const stride = 20 // then all wait for the last: a fast handle that runs ahead meets nobody
	for begin := 0; begin < n; begin += stride {
		t.Go(len(handles), func(i int) {
			for k := range stride {
				key := fmt.Sprintf("k%d", begin+k)
				added, err := handles[i].Add(t.ctx, key, []byte{byte('a' + i)}, time.Hour)
				t.Ok("Add", err)
				if added {
					winners.Add(1)
				}
			}
		})
	}
	Equal(t, fmt.Sprintf("winners of 4 handles adding %d keys", n), winners.Load(), int64(n))
}
