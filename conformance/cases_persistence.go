package conformance

import (
	"fmt"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

var persistenceCases = []Case{
	{ID: "PER-1", Name: "reopen",
		Rule:     "after Close and reopening, the store has its entries with their remaining TTL",
		Why:      "Users choose a store on disk or on a server so that a restart does not empty the cache.",
		Features: []Feature{Persistence}, flags: needsOwnStore | cacheOnly | needsTime,
		run: func(t *attempt) {
			ttl := t.shortTTL()
			t.set("long", "1", time.Hour)
			t.set("forever", "2", 0)
			t.set("brief", "3", ttl)
			t.set("empty", "", time.Hour)
			t.must("Close", t.close())
			t.openSecondHandle()
			t.hit("after reopening", "long", "1")
			t.hasTTL("after reopening", "long", time.Hour)
			t.hit("after reopening", "forever", "2")
			t.hasTTL("after reopening", "forever", 0)
			t.hit("after reopening", "empty", "")
			equal(t, "Add of a key that was set before Close", t.add("long", "new", time.Hour), false)
			t.pass(ttl + t.resolution())
			t.miss("after a TTL that began before Close", "brief")
			for _, key := range []string{"long", "forever", "brief", "empty"} {
				t.delete(key)
			}
		}},
	{ID: "PER-2", Name: "two_handles",
		Rule:     "a handle sees at once what another handle sets, adds, increments, deletes and clears, and outlives it",
		Why:      "Processes share the store, and one of them would serve what another has deleted.",
		Features: []Feature{Persistence}, flags: needsOwnStore | cacheOnly,
		run: func(t *attempt) {
			t.set("before", "1", time.Hour)
			one := t.handle
			t.openSecondHandle()
			other := t.handle
			t.hit("set by the first handle before the second was opened", "before", "1")
			for i := range 20 {
				t.handle = one
				t.set("k", fmt.Sprint(i), time.Hour)
				t.handle = other
				t.hit("set by the other handle", "k", fmt.Sprint(i))
				equal(t, "Add of a key that the other handle set", t.add("k", "x", time.Hour), false)
				equal(t, "Delete of a key that the other handle set", t.delete("k"), true)
				t.handle = one
				t.miss("deleted by the other handle", "k")
			}
			t.seesBatchesAndClear(one, other)
			t.handle = one
			if t.supports(Counter) {
				t.concurrently(2, func(i int) {
					for range 100 {
						_, err := []*handle{one, other}[i].Inc(t.ctx, "n", 1, time.Hour)
						t.must("Inc", err)
					}
				})
				t.hit("after 100 Inc from each of two handles", "n", "200")
			}
			t.set("k", "last", time.Hour)
			t.must("Close of the other handle", other.cache.Close())
			t.hit("after Close of the other handle", "k", "last")
			_, _, err := other.Get(t.ctx, "k")
			t.errorIs("Get of a handle that is closed", err, driver.ErrClosed)
		}},
}

// seesBatchesAndClear checks that each handle sees the batches and the Clear of the
// other.
func (t *attempt) seesBatchesAndClear(one, other *handle) {
	for range 2 {
		t.handle = one
		t.setMany(map[string]string{"a": "1", "b": "2"}, time.Hour)
		t.handle = other
		t.hit("stored by SetMany of the other handle", "a", "1")
		equal(t, "Has of a key that SetMany of the other handle stored", t.has("b"), true)
		equal(t, "DeleteMany of keys that the other handle stored", len(t.deleteMany("a", "b")), 2)
		t.handle = one
		for i, value := range t.getMany("a", "b") {
			equal(t, "GetMany after DeleteMany of the other handle, a hit at the position of "+[]string{"a", "b"}[i], value != nil, false)
		}
		if !cannotClear(t) {
			t.seesClear(one, other)
		}
		one, other = other, one
	}
}

func (t *attempt) seesClear(one, other *handle) {
	t.handle = one
	t.set("set", "1", time.Hour)
	t.add("add", "1", 0)
	t.handle = other
	t.hit("set by the other handle", "set", "1")
	t.clear()
	t.handle = one
	t.miss("after Clear of the other handle", "set")
	equal(t, "Has after Clear of the other handle", t.has("add"), false)
	equal(t, "Add after Clear of the other handle", t.add("add", "2", time.Hour), true)
	t.delete("add")
}
