package conformance

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

var batchCases = []Case{
	{ID: "BAT-1", Name: "get_many_keeps_places",
		Rule: "GetMany keeps the order of keys; GetDict has exactly the hits",
		Why:  "servers and maps return them in an order of their own",
		Run: func(t *T) {
			t.SetMany(map[string]string{"a": "1", "b": "2", "c": "3", "e": ""}, time.Hour)
			order := []string{"c", "x", "a", "e", "b", "y"}
			for i, value := range t.GetMany(order...) {
				want := map[string]string{"a": "1", "b": "2", "c": "3"}[order[i]]
				Equal(t, "GetMany(c, x, a, e, b, y) at the place of "+order[i], string(value), want)
				Equal(t, "a hit at the place of "+order[i], value != nil, !strings.Contains("xy", order[i]))
			}
			if t.mode == bare {
				return
			}
			hits, err := t.cache.GetDict(t.ctx, t.try.full(order)...)
			t.Ok("GetDict", err)
			Equal(t, "the number of hits of GetDict", len(hits), 4)
			Equal(t, "GetDict at c", string(hits[t.try.prefix+"c"]), "3")
		}},
	{ID: "BAT-2", Name: "repeated_keys",
		Rule: "GetMany answers for a repeated key at each of its places; DeleteMany names it once",
		Why:  "one client drops the repetitions",
		Run: func(t *T) {
			t.Set("a", "1", time.Hour)
			t.Set("b", "2", time.Hour)
			for i, value := range t.GetMany("a", "b", "a", "x", "a", "x") {
				Equal(t, fmt.Sprintf("GetMany(a, b, a, x, a, x), place %d", i), string(value), []string{"1", "2", "1", "", "1", ""}[i])
			}
			if t.mode != bare {
				Equal(t, "DeleteMany(b, a, b, x, a)", fmt.Sprint(t.DeleteMany("b", "a", "b", "x", "a")), "[b a]")
			}
		}},
	{ID: "BAT-3", Name: "empty_batches",
		Rule:   "an empty batch is an empty result and no error",
		Why:    "a command without arguments is an error of the server",
		traits: cacheOnly | null,
		Run: func(t *T) {
			Equal(t, "results of GetMany()", len(t.GetMany()), 0)
			Equal(t, "results of DeleteMany()", len(t.DeleteMany()), 0)
			t.SetMany(nil, time.Hour)
			hits, err := t.cache.GetDict(t.ctx)
			t.Ok("GetDict()", err)
			Equal(t, "results of GetDict()", len(hits), 0)
		}},
	{ID: "BAT-4", Name: "all_or_some_missing",
		Rule: "batches of absent keys, and of some absent keys, are no errors",
		Why:  "absent keys are the common case",
		Run: func(t *T) {
			for _, value := range t.GetMany("x", "y", "z") {
				Equal(t, "GetMany of absent keys", value == nil, true)
			}
			Equal(t, "DeleteMany of absent keys", fmt.Sprint(t.DeleteMany("x", "y", "z")), "[]")
			t.Set("y", "1", time.Hour)
			for i, value := range t.GetMany("x", "y", "z") {
				Equal(t, "GetMany of absent keys and one that is there", value != nil, i == 1)
			}
			Equal(t, "DeleteMany of absent keys and one that is there", fmt.Sprint(t.DeleteMany("x", "y", "z")), "[y]")
		}},
	{ID: "BAT-5", Name: "set_many_names_what_failed",
		Rule:   "an error of SetMany names every key that failed and only those; the others are stored",
		Why:    "one failed command of a pipeline hides the others",
		traits: cacheOnly,
		Run: func(t *T) {
			good, bad := t.Own("good"), t.Own("bad")
			err := cache.Of[any](t.cache).SetMany(t.ctx, map[string]any{good: 1, bad: make(chan int)})
			t.failedKeys("SetMany with one value that cannot be encoded", err, bad)
			t.holds(good, "1")
			t.holds(bad, "")
		}},
	{ID: "BAT-6", Name: "invalid_key_stops_the_batch",
		Rule:   "an invalid key in a batch: nothing at all is written",
		Why:    "arguments are checked first",
		traits: cacheOnly | null,
		Run: func(t *T) {
			good := t.Own("good")
			t.ErrorIs("SetMany with an empty key", t.cache.SetMany(t.ctx, map[string][]byte{good: nil, "": nil}), cache.ErrInvalidKey)
			t.holds(good, "")
			if !t.Can(Storage) {
				return
			}
			t.Ok("Set", t.cache.Set(t.ctx, good, []byte("v")))
			_, err := t.cache.DeleteMany(t.ctx, good, "")
			t.ErrorIs("DeleteMany with an empty key", err, cache.ErrInvalidKey)
			t.holds(good, "v")
		}},
	{ID: "BAT-7", Name: "one_too_large",
		Rule: "with one item too large the others are stored, and the BatchError has one entry",
		Why:  "a failure in the middle ends the batch, or is lost",
		Run: func(t *T) {
			items := map[string]string{"large": strings.Repeat("x", t.harness.MaxValue+1)}
			for _, key := range keys("k", 20) {
				items[key] = "v"
			}
			err := t.try.SetMany(t.ctx, items, time.Hour)
			t.ErrorIs("SetMany with one item too large", err, cache.ErrTooLarge)
			t.failedKeys("SetMany with one item too large", err, t.try.prefix+"large")
			for _, key := range keys("k", 20) {
				t.Hit("in a batch with one item too large", key, "v")
			}
			t.Miss("after it was refused", "large")
		},
		when: func(h Harness) string {
			if h.MaxValue == 0 {
				return "there is no largest value (Harness.MaxValue)"
			}
			return ""
		}},
	{ID: "BAT-8", Name: "a_server_of_several_lost",
		Rule:   "with one of several servers down, GetMany returns the hits of the others and an error that names the other keys",
		Why:    "half of the answer is thrown away, or the rest looks absent",
		traits: once | private, Run: someServersOfMany,
		when: func(h Harness) string { return unlessLent(h.PartialOutage != nil, "PartialOutage") }},
	{ID: "BAT-9", Name: "10_000_keys",
		Rule:   "SetMany, GetMany and DeleteMany take 10 000 keys, in a bounded number of round trips",
		Why:    "a round trip per key; limits of one command",
		traits: once | private,
		Run:    manyKeys},
	{ID: "BAT-10", Name: "delete_many_returns_what_was_there",
		Rule: "DeleteMany returns the keys that were there, in input order, each once",
		Why:  "libraries disagree",
		Run: func(t *T) {
			t.SetMany(map[string]string{"a": "1", "b": "2", "c": "3", "d": ""}, time.Hour)
			Equal(t, "DeleteMany(d, x, c, a)", fmt.Sprint(t.DeleteMany("d", "x", "c", "a")), "[d c a]")
			Equal(t, "DeleteMany(d, x, c, a) again", fmt.Sprint(t.DeleteMany("d", "x", "c", "a")), "[]")
			t.Hit("after DeleteMany of others", "b", "2")
			for _, key := range []string{"a", "c", "d"} {
				t.Miss("after DeleteMany", key)
			}
		}},
	{ID: "BAT-11", Name: "set_many_has_one_ttl",
		Rule:   "SetMany gives all items the one ttl, replacing what they had",
		Why:    "stores that have no such command send the expiry by itself, or not at all",
		traits: waits,
		Run: func(t *T) {
			ttl := t.Brief()
			t.Set("b", "old", 0)
			t.SetMany(map[string]string{"a": "1", "b": "2"}, time.Hour)
			t.Life("after SetMany with 1h", "a", time.Hour)
			t.Life("after SetMany with 1h over ttl 0", "b", time.Hour)
			t.SetMany(map[string]string{"a": "1", "b": "2", "c": "3"}, ttl)
			t.pass(ttl + t.harness.Resolution)
			for _, key := range []string{"a", "b", "c"} {
				t.Miss("after SetMany with a ttl that is over", key)
			}
		}},
	{ID: "BAT-12", Name: "delete_many_reads_nothing",
		Rule:     "DeleteMany does not ask for each key before",
		Why:      "one library makes 1 + N round trips",
		Features: []Feature{Network}, traits: once | private,
		Run: func(t *T) { t.roundTrips() }},
	{ID: "BAT-13", Name: "keys_anywhere",
		Rule: "a batch may hold keys of any server or slot",
		Why:  "CROSSSLOT",
		Run: func(t *T) {
			items := map[string]string{}
			var list []string
			for i := range 200 {
				key := fmt.Sprintf("{%d}slot%d", i%7, i)
				items[key] = fmt.Sprint(i)
				list = append(list, key)
			}
			t.SetMany(items, time.Hour)
			for i, value := range t.GetMany(list...) {
				Equal(t, "GetMany at the place of "+list[i], string(value), fmt.Sprint(i))
			}
			Equal(t, "keys that DeleteMany found", len(t.DeleteMany(list...)), len(list))
		}},
	{ID: "BAT-14", Name: "deadline_of_the_whole_batch",
		Rule:     "the deadline of the context bounds the whole batch",
		Why:      "one client begins it anew for each item",
		Features: []Feature{Network}, traits: once | private,
		Run: batchDeadline},
}

// failedKeys records a failure where err is not a BatchError of exactly want.
func (t *T) failedKeys(what string, err error, want ...string) {
	var batch *cache.BatchError
	if !errors.As(err, &batch) {
		t.Wrong(what, err, text("a *cache.BatchError"))
		return
	}
	var got []string
	for _, f := range batch.Failed {
		got = append(got, f.Key)
	}
	slices.Sort(got)
	Equal(t, what+": the keys of the BatchError", fmt.Sprintf("%q", got), fmt.Sprintf("%q", want))
}

func manyKeys(t *T) {
	n := t.fewer(10_000)
	list := keys("k", n)
	items := make(map[string]string, n)
	for i, key := range list {
		items[key] = fmt.Sprint(i)
	}
	t.SetMany(items, time.Hour)
	for i, value := range t.GetMany(list...) {
		if string(value) != fmt.Sprint(i) {
			t.Stop("GetMany of 10 000 keys, at the place of "+list[i], value, fmt.Sprint(i))
		}
	}
	deleted := t.DeleteMany(list...)
	Equal(t, "keys that DeleteMany of 10 000 found", len(deleted), n)
	for i, key := range deleted {
		if key != list[i] {
			t.Stop(fmt.Sprintf("DeleteMany of 10 000 keys, place %d", i), key, list[i])
		}
	}
	for _, value := range t.GetMany(list...) {
		if value != nil {
			t.Stop("GetMany after DeleteMany of 10 000 keys", value, text("a miss"))
		}
	}
}
