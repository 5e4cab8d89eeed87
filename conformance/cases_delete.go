package conformance

import "time"

var deleteCases = []Case{
	{ID: "DEL-1", Name: "present_absent_expired",
		Rule:  "Delete of a present key returns true, of an absent or expired key false",
		Why:   "A program that releases a lock or counts deletions relies on the answer.",
		flags: needsTime,
		run: func(t *attempt) {
			t.set("k", "v", time.Hour)
			t.set("empty", "", time.Hour)
			equal(t, "Delete of a present key", t.delete("k"), true)
			equal(t, "Delete of a key with an empty value", t.delete("empty"), true)
			equal(t, "Delete of an absent key", t.delete("absent"), false)
			t.setExpired("expired")
			equal(t, "Delete of an expired key", t.delete("expired"), false)
		}},
	{ID: "DEL-2", Name: "twice",
		Rule: "a second Delete returns false, and Get after Delete is a miss",
		Why:  "An entry that reappears after an invalidation serves stale data.",
		run: func(t *attempt) {
			t.set("k", "v", time.Hour)
			t.delete("k")
			t.miss("after Delete", "k")
			equal(t, "a second Delete", t.delete("k"), false)
			equal(t, "Has after Delete", t.has("k"), false)
		}},
}
