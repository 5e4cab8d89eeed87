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
		Rule:     "a handle sees what another handle sets, adds, increments, deletes and clears, at once or within Limits.Staleness, and works after that handle is closed",
		Why:      "Processes share the store, and one of them would serve an entry that another has deleted.",
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
			t.seesBatchesAndClear(one, other)
			t.handle = one
			if t.supports(Counter) {
				t.concurrently(2, func(i int) {
					for range 100 {
						_, err := []*handle{one, other}[i].Inc(t.ctx, "n", 1, time.Hour)
						t.must("Inc", err)
					}
				})
				t.settle()
				t.hit("after 100 Inc from each of two handles", "n", "200")
			}
			t.set("k", "last", time.Hour)
			t.must("Close of the other handle", other.cache.Close())
			t.hit("after Close of the other handle", "k", "last")
			_, _, err := other.Get(t.ctx, "k")
			t.errorIs("Get of a handle that is closed", err, driver.ErrClosed)
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

// settle waits until every handle sees what another one has changed.
func (t *attempt) settle() {
	if bound := t.harness.Limits.Staleness; bound > 0 {
		t.pass(bound)
	}
}

// seesBatchesAndClear checks that each handle sees the batches and the Clear of the
// other.
func (t *attempt) seesBatchesAndClear(one, other *handle) {
	for range 2 {
		t.handle = one
		t.setMany(map[string]string{"a": "1", "b": "2"}, time.Hour)
		t.settle()
		t.handle = other
		t.hit("stored by SetMany of the other handle", "a", "1")
		equal(t, "Has of a key that SetMany of the other handle stored", t.has("b"), true)
		equal(t, "DeleteMany of keys that the other handle stored", len(t.deleteMany("a", "b")), 2)
		t.settle()
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
	t.settle()
	t.handle = other
	t.hit("set by the other handle", "set", "1")
	t.clear()
	t.settle()
	t.handle = one
	t.miss("after Clear of the other handle", "set")
	equal(t, "Has after Clear of the other handle", t.has("add"), false)
	equal(t, "Add after Clear of the other handle", t.add("add", "2", time.Hour), true)
	t.delete("add")
}
