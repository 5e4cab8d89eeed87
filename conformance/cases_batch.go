package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"

	"github.com/cachebackends/cachebackends/conformance/proxy"
)

var batchCases = []Case{
	{ID: "BAT-1", Name: "get_many_keeps_positions",
		Rule: "GetMany returns one result per key in the order of the keys; GetDict returns exactly the hits",
		Why:  "Servers and maps return values in an order of their own, and a user would read the value of another key.",
		run: func(t *attempt) {
			t.setMany(map[string]string{"a": "1", "b": "2", "c": "3", "e": ""}, time.Hour)
			order := []string{"c", "x", "a", "e", "b", "y"}
			for i, value := range t.getMany(order...) {
				want := map[string]string{"a": "1", "b": "2", "c": "3"}[order[i]]
				equal(t, "GetMany(c, x, a, e, b, y) at the position of "+order[i], string(value), want)
				equal(t, "a hit at the position of "+order[i], value != nil, !strings.Contains("xy", order[i]))
			}
			if t.mode == bare {
				return
			}
			hits, err := t.cache.GetDict(t.ctx, t.handle.full(order)...)
			t.must("GetDict", err)
			equal(t, "the number of hits of GetDict", len(hits), 4)
			equal(t, "GetDict at c", string(hits[t.handle.prefix+"c"]), "3")
		}},
	{ID: "BAT-2", Name: "repeated_keys",
		Rule: "GetMany returns the value of a repeated key at each of its positions; DeleteMany returns it once",
		Why:  "One client library drops repeated keys, and the results no longer match the keys.",
		run: func(t *attempt) {
			t.set("a", "1", time.Hour)
			t.set("b", "2", time.Hour)
			want := []string{"1", "2", "1", "", "1", ""}
			for i, value := range t.getMany("a", "b", "a", "x", "a", "x") {
				equal(t, fmt.Sprintf("GetMany(a, b, a, x, a, x) at position %d", i), string(value), want[i])
			}
			many := slices.Repeat([]string{"a", "x", "b"}, 20) // more than a short cut for few keys would look at
			for i, value := range t.getMany(many...) {
				equal(t, fmt.Sprintf("GetMany(a, x, b, and so on, 60 keys) at position %d", i), string(value), []string{"1", "", "2"}[i%3])
			}
			if t.mode != bare {
				equal(t, "DeleteMany(b, a, b, x, a)", fmt.Sprint(t.deleteMany("b", "a", "b", "x", "a")), "[b a]")
			}
		}},
	{ID: "BAT-3", Name: "empty_batches",
		Rule:  "an empty batch returns an empty result and no error",
		Why:   "A command without arguments is an error on the server, and an empty list would look like an outage.",
		flags: cacheOnly | alsoNull,
		run: func(t *attempt) {
			equal(t, "the number of results of GetMany()", len(t.getMany()), 0)
			equal(t, "the number of results of DeleteMany()", len(t.deleteMany()), 0)
			t.setMany(nil, time.Hour)
			hits, err := t.cache.GetDict(t.ctx)
			t.must("GetDict()", err)
			equal(t, "the number of results of GetDict()", len(hits), 0)
		}},
	{ID: "BAT-4", Name: "all_or_some_missing",
		Rule: "a batch in which all or some keys are absent returns no error",
		Why:  "Absent keys are the common case of a cache, and an error would hide the hits beside them.",
		run: func(t *attempt) {
			for _, value := range t.getMany("x", "y", "z") {
				equal(t, "a miss of GetMany of absent keys", value == nil, true)
			}
			equal(t, "DeleteMany of absent keys", fmt.Sprint(t.deleteMany("x", "y", "z")), "[]")
			t.set("y", "1", time.Hour)
			for i, value := range t.getMany("x", "y", "z") {
				equal(t, "a hit of GetMany of two absent keys and a present one", value != nil, i == 1)
			}
			equal(t, "DeleteMany of two absent keys and a present one", fmt.Sprint(t.deleteMany("x", "y", "z")), "[y]")
		}},
	{ID: "BAT-5", Name: "set_many_names_what_failed",
		Rule:  "an error of SetMany names every key that failed and only those; the others are stored",
		Why:   "A pipeline that returns only its first error hides which entries are missing.",
		flags: cacheOnly,
		run: func(t *attempt) {
			good, bad := t.cacheKey("good"), t.cacheKey("bad")
			err := cache.Of[any](t.cache).SetMany(t.ctx, map[string]any{good: 1, bad: make(chan int)})
			t.failsExactly("SetMany with one value that cannot be encoded", err, bad)
			t.cacheHolds(good, "1")
			t.cacheHolds(bad, "")
		}},
	{ID: "BAT-6", Name: "invalid_key_stops_the_batch",
		Rule:  "an empty key in a batch fails the batch before anything is written",
		Why:   "A batch that is half written because of a wrong argument cannot be repeated or undone.",
		flags: cacheOnly | alsoNull,
		run: func(t *attempt) {
			good := t.cacheKey("good")
			t.errorIs("SetMany with an empty key", t.cache.SetMany(t.ctx, map[string][]byte{good: nil, "": nil}), driver.ErrInvalidKey)
			t.cacheHolds(good, "")
			if !t.supports(Storage) {
				return
			}
			t.must("Set", t.cache.Set(t.ctx, good, []byte("v")))
			_, err := t.cache.DeleteMany(t.ctx, good, "")
			t.errorIs("DeleteMany with an empty key", err, driver.ErrInvalidKey)
			t.cacheHolds(good, "v")
		}},
	{ID: "BAT-7", Name: "one_too_large",
		Rule:          "SetMany with one item that is too large stores the others, and the BatchError names only that one",
		Why:           "If one large value ends the batch, the entries after it are missing without an error of their own.",
		notApplicable: needsMaxValue,
		run: func(t *attempt) {
			small := keys("k", 20)
			items := sameItems(small, "v")
			items["large"] = string(randomBytes(1, t.maxValueOf("large")+1))
			err := t.handle.SetMany(t.ctx, items, time.Hour)
			t.errorIs("SetMany with one item that is too large", err, driver.ErrTooLarge)
			t.failsExactly("SetMany with one item that is too large", err, t.handle.prefix+"large")
			for _, key := range small {
				t.hit("in a batch with one item that is too large", key, "v")
			}
			t.miss("after ErrTooLarge", "large")
		}},
	{ID: "BAT-8", Name: "one_server_of_several_down",
		Rule:          "with one of several servers down, GetMany returns the hits of the others and a BatchError that names the other keys",
		Why:           "Otherwise the outage of one server loses all results, or its keys look absent and are computed again.",
		flags:         oneModeOnly | needsOwnStore,
		notApplicable: needsStore("PartialOutage", func(s Stores) bool { return s.PartialOutage != nil }),
		run:           oneServerDown},
	{ID: "BAT-9", Name: "10_000_keys",
		Rule:  "SetMany, GetMany and DeleteMany accept 10 000 keys",
		Why:   "A command with too many arguments exceeds a limit of the client or the server and fails as a whole.",
		flags: oneModeOnly | needsOwnStore,
		run:   manyKeys},
	{ID: "BAT-10", Name: "delete_many_returns_what_was_present",
		Rule: "DeleteMany returns the keys that were present, in the order of the keys, each once",
		Why:  "A program that counts or logs deletions would report entries that never existed.",
		run: func(t *attempt) {
			t.setMany(map[string]string{"a": "1", "b": "2", "c": "3", "d": ""}, time.Hour)
			equal(t, "DeleteMany(d, x, c, a)", fmt.Sprint(t.deleteMany("d", "x", "c", "a")), "[d c a]")
			equal(t, "DeleteMany(d, x, c, a) again", fmt.Sprint(t.deleteMany("d", "x", "c", "a")), "[]")
			t.hit("after DeleteMany of other keys", "b", "2")
			for _, key := range []string{"a", "c", "d"} {
				t.miss("after DeleteMany", key)
			}
		}},
	{ID: "BAT-11", Name: "set_many_has_one_ttl",
		Rule:  "SetMany gives all items its TTL, also 0, and replaces the TTL they had",
		Why:   "Stores without such a command set the TTL in a second step or not at all, and the entries never expire.",
		flags: needsTime,
		run: func(t *attempt) {
			ttl := t.shortTTL()
			t.set("b", "old", 0)
			t.setMany(map[string]string{"a": "1", "b": "2"}, time.Hour)
			t.hasTTL("after SetMany with 1h", "a", time.Hour)
			t.hasTTL("after SetMany with 1h over ttl 0", "b", time.Hour)
			t.setMany(map[string]string{"a": "1", "b": "2"}, 0)
			t.hasTTL("after SetMany with ttl 0 over 1h", "a", 0)
			t.set("forever", "old", ttl)
			t.setMany(map[string]string{"forever": "3"}, 0)
			t.setMany(map[string]string{"a": "1", "b": "2", "c": "3"}, ttl)
			t.pass(ttl + t.resolution())
			t.hit("after a short TTL that SetMany with ttl 0 has replaced", "forever", "3")
			for _, key := range []string{"a", "b", "c"} {
				t.miss("after the TTL of SetMany", key)
			}
		}},
	{ID: "BAT-12", Name: "one_round_trip_per_key",
		Rule:     "a batch takes at most one round trip per key; DeleteMany may take two with the trait ReadsBeforeDelete",
		Why:      "A read before each write doubles the duration of a batch over a network.",
		Features: []Feature{Network}, flags: oneModeOnly | needsOwnStore, run: boundedRoundTrips},
	{ID: "BAT-13", Name: "keys_anywhere",
		Rule: "a batch may contain keys of any server or slot",
		Why:  "Redis Cluster rejects a command whose keys are in different slots.",
		run: func(t *attempt) {
			items := map[string]string{}
			var list []string
			for i := range 200 {
				key := fmt.Sprintf("{%d}slot%d", i%7, i)
				items[key] = fmt.Sprint(i)
				list = append(list, key)
			}
			t.setMany(items, time.Hour)
			for i, value := range t.getMany(list...) {
				equal(t, "GetMany at the position of "+list[i], string(value), fmt.Sprint(i))
			}
			equal(t, "the number of keys that DeleteMany returns", len(t.deleteMany(list...)), len(list))
		}},
	{ID: "BAT-14", Name: "deadline_of_the_whole_batch",
		Rule:     "the deadline of the context bounds the whole batch",
		Why:      "One client library extends the deadline for each item, and a batch of 100 keys takes 100 times as long.",
		Features: []Feature{Network}, flags: oneModeOnly | needsOwnStore,
		run: batchDeadline},
	{ID: "BAT-15", Name: "invalid_keys_are_named",
		Rule:          "an invalid key fails a batch before anything is sent, and the BatchError names every invalid key and only those; a backend without batches of its own executes the other keys",
		Why:           "If backends differ, a batch that one backend rejects is half written on another without an error.",
		notApplicable: needsInvalidKeys,
		run:           invalidKeysInBatches},
}

func needsInvalidKeys(h Harness) string {
	if h.Limits.MaxKey == 0 && len(h.Limits.RefusedKeys) == 0 {
		return "the harness names no invalid keys (Limits.MaxKey, Limits.RefusedKeys)"
	}
	return ""
}

// invalidKeysInBatches puts every invalid key that the harness knows between two
// valid ones.
func invalidKeysInBatches(t *attempt) {
	invalid := t.invalidKeys()
	list := slices.Concat([]string{"a"}, invalid, []string{"b"})
	_, ownGet := t.backend.(driver.ManyGetter)
	_, ownSet := t.backend.(driver.ManySetter)
	_, ownDelete := t.backend.(driver.ManyDeleter)
	fails := func(what string, err error) {
		t.errorIs(what, err, driver.ErrInvalidKey)
		t.failsExactly(what, err, t.handle.full(invalid)...)
	}
	holds := func(after string, present bool) {
		for _, key := range []string{"a", "b"} {
			if present {
				t.hit(after, key, "v")
			} else {
				t.miss(after, key)
			}
		}
	}

	fails("SetMany with invalid keys", t.handle.SetMany(t.ctx, sameItems(list, "v"), time.Hour))
	holds("after SetMany with invalid keys", !ownSet)
	t.setMany(map[string]string{"a": "v", "b": "v"}, time.Hour)
	values, err := t.handle.GetMany(t.ctx, list...)
	fails("GetMany with invalid keys", err)
	if len(values) != len(list) {
		t.stop("the number of results of GetMany with invalid keys", len(values), len(list))
	}
	for i, value := range values {
		if hit := value != nil; hit != (!ownGet && (i == 0 || i == len(list)-1)) {
			t.wrong(fmt.Sprintf("a hit of GetMany with invalid keys at position %d", i), hit, !hit)
		}
	}
	deleted, err := t.handle.DeleteMany(t.ctx, list...)
	fails("DeleteMany with invalid keys", err)
	equal(t, "a key that DeleteMany with invalid keys returns", len(deleted) > 0, !ownDelete)
	holds("after DeleteMany with invalid keys", ownDelete)
}

// failsExactly records a failure if err is not a BatchError of exactly want.
func (t *attempt) failsExactly(what string, err error, want ...string) {
	var batch *driver.BatchError
	if !errors.As(err, &batch) {
		t.wrong(what, err, text("a *driver.BatchError"))
		return
	}
	var got []string
	for _, f := range batch.Failed {
		got = append(got, f.Key)
	}
	slices.Sort(got)
	slices.Sort(want)
	equal(t, what+": the keys of the BatchError", fmt.Sprintf("%q", got), fmt.Sprintf("%q", want))
}

func manyKeys(t *attempt) {
	n := t.fewer(10_000)
	defer t.callsWithMany(n)()
	list := keys("k", n)
	items := make(map[string]string, n)
	size := 600 // more than 1 MiB in all, which a client may not send as one request
	if limit := t.harness.Limits.maxValue(); limit != 0 {
		size = min(size, limit)
	}
	for i, key := range list {
		items[key] = fmt.Sprintf("%0*d", size, i)
	}
	t.setMany(items, time.Hour)
	for i, value := range t.getMany(list...) {
		if string(value) != items[list[i]] {
			t.stop(fmt.Sprintf("GetMany of %d keys at the position of %s", n, list[i]), value, items[list[i]])
		}
	}
	for i := range 20 { // a SetMany in chunks may give a chunk another TTL
		t.hasTTL(fmt.Sprintf("after SetMany of %d keys with 1h", n), list[i*n/20], time.Hour)
	}
	deleted := t.deleteMany(list...)
	equal(t, fmt.Sprintf("the number of keys that DeleteMany of %d returns", n), len(deleted), n)
	for i, key := range deleted {
		if key != list[i] {
			t.stop(fmt.Sprintf("DeleteMany of %d keys at position %d", n, i), key, list[i])
		}
	}
	for _, value := range t.getMany(list...) {
		if value != nil {
			t.stop(fmt.Sprintf("GetMany after DeleteMany of %d keys", n), value, text("a miss"))
		}
	}
}

func oneServerDown(t *attempt) {
	b, stopServer := t.harness.Stores.PartialOutage(t.test)
	h := t.openStore(b)
	list, err := t.fill(h, 300, 100)
	t.must("SetMany", err)
	stopServer()
	ctx, cancel := context.WithTimeout(t.ctx, 10*time.Second)
	defer cancel()
	values, err := h.GetMany(ctx, list...)
	t.errorIs("GetMany with one server down", err, driver.ErrUnavailable)
	failed := t.failedKeys(h, err)
	if len(values) != len(list) {
		t.stop("the number of results of GetMany", len(values), len(list))
	}
	hits := 0
	for i, value := range values {
		if hit, named := value != nil, failed[list[i]] != nil; hit == named {
			t.stop("the key "+show(list[i]), text(fmt.Sprintf("a hit: %v, in the BatchError: %v", hit, named)), text("exactly one of the two"))
		}
		if value != nil {
			hits++
		}
	}
	if hits == 0 || hits == len(list) {
		t.wrong("hits of 300 keys on several servers with one of them down", hits, text("those of the other servers"))
	}
}

func boundedRoundTrips(t *attempt) {
	const n = 100
	w := t.openProxied()
	list := keys("k", n)
	roundTrips := func(what string, call func() error) int64 {
		var before, after int64
		w.succeeds(what, func() error {
			_, before, _, _ = w.Counts()
			err := call()
			_, after, _, _ = w.Counts()
			return err
		})
		return after - before
	}
	atMostOnePerKey := func(what string, trips int64) {
		if trips > n+10 {
			t.wrong(fmt.Sprintf("round trips of %s of %d keys", what, n), trips, text("at most one per key"))
		}
	}
	atMostOnePerKey("SetMany", roundTrips("SetMany", func() error { return w.handle.SetMany(t.ctx, sameItems(list, "v"), time.Hour) }))
	atMostOnePerKey("GetMany", roundTrips("GetMany", func() error { _, err := w.handle.GetMany(t.ctx, list...); return err }))
	trips := roundTrips("DeleteMany", func() error { _, err := w.handle.DeleteMany(t.ctx, list...); return err })
	switch declared := t.harness.declares(ReadsBeforeDelete); {
	case !declared:
		atMostOnePerKey("DeleteMany", trips)
	case trips <= n+10:
		t.wrong(fmt.Sprintf("round trips of DeleteMany of %d keys, with the trait ReadsBeforeDelete", n), trips,
			text("two per key: remove the trait from the harness"))
	}
}

func batchDeadline(t *attempt) {
	w := t.openProxied()
	list := keys("k", 100)
	w.Delay = 20 * time.Millisecond
	w.inject(proxy.Latency)
	for what, call := range map[string]func(context.Context) error{
		"SetMany":    func(ctx context.Context) error { return w.handle.SetMany(ctx, sameItems(list, "v"), time.Hour) },
		"GetMany":    func(ctx context.Context) error { _, err := w.handle.GetMany(ctx, list...); return err },
		"DeleteMany": func(ctx context.Context) error { _, err := w.handle.DeleteMany(ctx, list...); return err },
	} {
		err := t.returnsWithin(what+" over a slow connection", callTime+50*time.Millisecond, func() error {
			ctx, cancel := withCallTime(t.ctx)
			defer cancel()
			return call(ctx)
		})
		if err != nil {
			t.errorIs(what+" that missed its deadline", err, context.DeadlineExceeded)
		}
	}
}
