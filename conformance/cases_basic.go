package conformance

import (
	"fmt"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

var basicCases = []Case{
	{ID: "BAS-1", Name: "set_then_get",
		Rule: "Set then Get returns the same bytes",
		Why:  "everything else stands on it",
		Run: func(t *T) {
			t.Set("k", "value", time.Hour)
			t.Hit("after Set", "k", "value")
		}},
	{ID: "BAS-2", Name: "absent_is_a_miss",
		Rule: "Get of an absent key is ok=false with a nil error",
		Why:  "the common case must not be an error",
		Run: func(t *T) {
			value, ok, err := t.try.Get(t.ctx, "absent")
			Equal(t, "ok of Get of an absent key", ok, false)
			Equal(t, "length of its value", len(value), 0)
			t.Ok("Get of an absent key", err)
			Equal(t, "Has of an absent key", t.Has("absent"), false)
		}},
	{ID: "BAS-3", Name: "set_replaces_value_and_expiry",
		Rule: "Set replaces value AND expiry",
		Why:  "a stale expiry kept by an update is a silent outage",
		Run:  setReplaces, traits: waits},
	{ID: "BAS-4", Name: "set_over_expired",
		Rule:   "Set over an expired key works",
		Why:    "leftovers must not block",
		traits: waits,
		Run: func(t *T) {
			t.Expired("k")
			t.Set("k", "new", time.Hour)
			t.Hit("after Set over an expired entry", "k", "new")
			t.Life("after Set over an expired entry", "k", time.Hour)
		}},
	{ID: "BAS-5", Name: "keys_are_independent",
		Rule: "two keys are independent; deleting one leaves the other",
		Why:  "defects of the index",
		Run: func(t *T) {
			t.Set("a", "1", time.Hour)
			t.Set("b", "2", time.Hour)
			t.Delete("a")
			t.Miss("after Delete of a", "a")
			t.Hit("after Delete of a", "b", "2")
			t.Set("a", "3", time.Hour)
			t.Hit("after Set of a", "b", "2")
		}},
	{ID: "BAS-6", Name: "keys_are_case_sensitive",
		Rule: "keys are case sensitive",
		Why:  "case-insensitive file systems, wrong hashing",
		Run: func(t *T) {
			t.Set("Key", "upper", time.Hour)
			t.Miss("after Set of Key", "key")
			t.Set("key", "lower", time.Hour)
			t.Hit("after Set of key", "Key", "upper")
			t.Delete("KEY")
			t.Hit("after Delete of KEY", "key", "lower")
		}},
	{ID: "BAS-7", Name: "has",
		Rule: "Has tells true and false without changing the value",
		Why:  "a Has that is made of a write changes what it asks about",
		Run: func(t *T) {
			t.Set("k", "value", time.Hour)
			Equal(t, "Has of a present key", t.Has("k"), true)
			Equal(t, "Has of an absent key", t.Has("other"), false)
			t.Hit("after Has", "k", "value")
			t.Miss("after Has of an absent key", "other")
		}},
	{ID: "BAS-8", Name: "has_of_empty_and_null",
		Rule: "Has of a stored empty or null value is true",
		Why:  "an empty value is not a miss",
		Run: func(t *T) {
			t.Set("empty", "", time.Hour)
			t.Set("null", "null", time.Hour)
			Equal(t, "Has of a key with an empty value", t.Has("empty"), true)
			Equal(t, "Has of a key with the value null", t.Has("null"), true)
			if t.mode == bare {
				return
			}
			view := cache.Of[*int](t.cache)
			key := t.Own("pointer")
			t.Ok("Set of a nil pointer through a view", view.Set(t.ctx, key, nil))
			value, ok, err := view.Get(t.ctx, key)
			t.Ok("Get of a nil pointer through a view", err)
			Equal(t, "ok of Get of a stored nil pointer", ok, true)
			Equal(t, "the stored nil pointer", value, nil)
		}},
	{ID: "BAS-9", Name: "has_keeps_life",
		Rule:   "Has neither extends nor shortens the life of an entry",
		Why:    "a Has that appends an empty text rewrites the entry",
		traits: waits,
		Run: func(t *T) {
			ttl := t.Brief()
			t.Set("long", "v", time.Hour)
			t.Set("k", "v", ttl)
			t.Has("long")
			t.Life("after Has", "long", time.Hour)
			t.pass(ttl / 2)
			t.Has("k")
			t.pass(ttl - ttl/2 + t.harness.Resolution)
			t.Miss("at the end of its life, with a Has halfway", "k")
		}},
	{ID: "BAS-10", Name: "constructor_without_server",
		Rule:     "a constructor does not need a live server, or fails clearly; Ping says that it is gone",
		Why:      "start-ups that flap",
		Features: []Feature{Network}, traits: once | private, Run: constructorWithoutServer},
	{ID: "BAS-11", Name: "read_your_writes",
		Rule: "a handle reads what it has written",
		Why:  "reads from a replica break it",
		Run: func(t *T) {
			for i := range 50 {
				want := fmt.Sprint(i)
				t.Set("k", want, time.Hour)
				t.Hit("right after Set", "k", want)
			}
			t.Delete("k")
			t.Miss("right after Delete", "k")
		}},
	{ID: "BAS-12", Name: "expired_is_a_miss",
		Rule:   "Get of an expired key is a miss even if the bytes are still there",
		Why:    "sweepers are lazy",
		traits: waits,
		Run: func(t *T) {
			t.Expired("k")
			t.Miss("at the end of its life", "k")
		}},
	{ID: "BAS-13", Name: "expired_is_absent_everywhere",
		Rule:   "Has, Add, Delete, Inc and GetMany all treat an expired key as absent",
		Why:    "each of them was wrong in some library",
		traits: waits,
		Run: func(t *T) {
			t.Expired("has", "add", "delete", "many", "deletemany", "inc", "ttl")
			Equal(t, "Has of an expired key", t.Has("has"), false)
			Equal(t, "Delete of an expired key", t.Delete("delete"), false)
			Equal(t, "hits of GetMany of an expired key", t.GetMany("many")[0] != nil, false)
			Equal(t, "keys that DeleteMany of an expired key found", len(t.DeleteMany("deletemany")), 0)
			Equal(t, "Add over an expired key", t.Add("add", "new", time.Hour), true)
			if t.Can(Counter) {
				Equal(t, "Inc of an expired key that held 7", t.Inc("inc", 1, time.Hour), 1)
			}
			if t.Can(TTL) {
				_, ok, err := t.try.TTL(t.ctx, "ttl")
				t.Ok("TTL of an expired key", err)
				Equal(t, "ok of TTL of an expired key", ok, false)
			}
		}},
	{ID: "BAS-14", Name: "never_another_keys_value",
		Rule:   "Get never returns a value that was written under another key",
		Why:    "colliding hashes, replies read by the wrong caller",
		traits: private, Run: neverAnotherKeysValue},
}

func setReplaces(t *T) {
	ttl := t.Brief()
	t.Set("longer", "old", ttl)
	t.Set("longer", "new", time.Hour)
	t.Hit("after a second Set", "longer", "new")
	t.Life("after Set with 1h over a shorter life", "longer", time.Hour)
	t.Set("forever", "old", ttl)
	t.Set("forever", "new", 0)
	t.Life("after Set with 0 over a shorter life", "forever", 0)
	t.Set("shorter", "old", time.Hour)
	t.Set("shorter", "new", ttl)
	t.Set("limited", "old", 0)
	t.Set("limited", "new", ttl)
	t.pass(ttl + t.harness.Resolution)
	t.Hit("past the end of its first life, Set again with 1h", "longer", "new")
	t.Hit("past the end of its first life, Set again with 0", "forever", "new")
	t.Miss("at the end of its second, shorter life", "shorter")
	t.Miss("at the end of its second life, the first being endless", "limited")
}

func neverAnotherKeysValue(t *T) {
	const workers = 8
	rounds := t.fewer(60)
	t.Go(workers, func(worker int) {
		mine := keys(fmt.Sprintf("w%d-", worker), rounds)
		for _, key := range mine {
			t.Set(key, "value-of-"+key, time.Hour)
		}
		for _, key := range mine {
			t.Hit("with 8 callers at once", key, "value-of-"+key)
		}
		for i, value := range t.GetMany(mine...) {
			Equal(t, "GetMany, at the place of "+mine[i], string(value), "value-of-"+mine[i])
		}
	})
	if t.Can(Network) && t.mode == plain {
		garbledReplies(t)
	}
}
