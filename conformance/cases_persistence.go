package conformance

import (
	"fmt"
	"time"
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
		Rule:     "a handle sees what another handle sets, adds, increments and deletes: at once, or within Limits.Staleness",
		Why:      "Processes share the store, and one of them would serve what another has deleted.",
		Features: []Feature{Persistence}, flags: needsOwnStore | cacheOnly,
		run: func(t *attempt) {
			t.set("before", "1", time.Hour)
			one := t.handle
			t.openSecondHandle()
			other := t.handle
			t.hit("set by the first handle before the second was opened", "before", "1")
			stale := false
			for i := range 20 {
				t.handle = one
				t.set("k", fmt.Sprint(i), time.Hour)
				t.handle = other
				stale = t.becomes("k", fmt.Sprint(i), true) || stale
				t.hit("set by the other handle", "k", fmt.Sprint(i))
				t.handle = one
				t.set("k", fmt.Sprint("again", i), time.Hour)
				t.handle = other
				stale = t.becomes("k", fmt.Sprint("again", i), true) || stale
				t.hit("set again by the other handle", "k", fmt.Sprint("again", i))
				equal(t, "Add of a key that the other handle set", t.add("k", "x", time.Hour), false)
				equal(t, "Delete of a key that the other handle set", t.delete("k"), true)
				t.handle = one
				stale = t.becomes("k", "", false) || stale
				t.miss("deleted by the other handle", "k")
			}
			if bound := t.harness.Limits.Staleness; bound != 0 && !stale {
				t.wrong("reads of what another handle has changed, with Limits.Staleness", text("none is stale"), text("no such limit: remove it from the harness"))
			}
			if !t.supports(Counter) {
				return
			}
			t.concurrently(2, func(i int) {
				for range 100 {
					_, err := []*handle{one, other}[i].Inc(t.ctx, "n", 1, time.Hour)
					t.must("Inc", err)
				}
			})
			t.becomes("n", "200", true)
			t.hit("after 100 Inc from each of two handles", "n", "200")
		}},
}

// becomes waits up to Limits.Staleness until key holds want, or is absent. It
// reports whether a read was stale.
func (t *attempt) becomes(key, want string, present bool) (stale bool) {
	const pause = 10 * time.Millisecond
	for waited := time.Duration(0); waited <= t.harness.Limits.Staleness; waited += pause {
		if value, ok := t.get(key); ok == present && value == want {
			return stale
		}
		if t.harness.Limits.Staleness > 0 {
			stale = true
			t.pass(pause)
		}
	}
	return stale
}
