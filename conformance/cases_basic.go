package conformance

import (
	"context"
	"fmt"
	"time"

	"github.com/cachebackends/cachebackends/conformance/proxy"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

var basicCases = []Case{
	{ID: "BAS-1", Name: "set_then_get",
		Rule: "Get after Set returns the same bytes",
		Why:  "A cache that returns other bytes than it was given corrupts the data of its users.",
		run: func(t *attempt) {
			t.set("k", "value", time.Hour)
			t.hit("after Set", "k", "value")
		}},
	{ID: "BAS-2", Name: "absent_is_a_miss",
		Rule: "Get of an absent key returns ok=false and a nil error",
		Why:  "If a miss is an error, programs treat the most common result of a cache as an outage.",
		run: func(t *attempt) {
			value, ok, err := t.handle.Get(t.ctx, "absent")
			equal(t, "ok of Get of an absent key", ok, false)
			equal(t, "the length of its value", len(value), 0)
			t.must("Get of an absent key", err)
			equal(t, "Has of an absent key", t.has("absent"), false)
		}},
	{ID: "BAS-3", Name: "set_replaces_value_and_expiry",
		Rule:  "Set replaces both the value and the TTL",
		Why:   "If an update keeps the old TTL, the new value expires too early or stays too long.",
		flags: needsTime, run: setReplaces},
	{ID: "BAS-4", Name: "set_over_expired",
		Rule:  "Set of an expired key stores the new value",
		Why:   "If the remains of an expired entry block writes, the key cannot be cached again.",
		flags: needsTime,
		run: func(t *attempt) {
			t.setExpired("k")
			t.set("k", "new", time.Hour)
			t.hit("after Set of an expired key", "k", "new")
			t.hasTTL("after Set of an expired key", "k", time.Hour)
		}},
	{ID: "BAS-5", Name: "keys_are_independent",
		Rule: "two keys are independent; Delete of one leaves the other",
		Why:  "If keys affect each other, deleting one entry loses or restores another one.",
		run: func(t *attempt) {
			t.set("a", "1", time.Hour)
			t.set("b", "2", time.Hour)
			t.delete("a")
			t.miss("after Delete of a", "a")
			t.hit("after Delete of a", "b", "2")
			t.set("a", "3", time.Hour)
			t.hit("after Set of a", "b", "2")
		}},
	{ID: "BAS-6", Name: "keys_are_case_sensitive",
		Rule: "keys are case sensitive",
		Why:  "On a case-insensitive file system two keys share one entry, and a user reads the value of another.",
		run: func(t *attempt) {
			t.set("Key", "upper", time.Hour)
			t.miss("after Set of Key", "key")
			t.set("key", "lower", time.Hour)
			t.hit("after Set of key", "Key", "upper")
			t.delete("KEY")
			t.hit("after Delete of KEY", "key", "lower")
		}},
	{ID: "BAS-7", Name: "has",
		Rule: "Has reports whether a key is present and does not change the value",
		Why:  "A Has that is implemented by a write, such as an append, changes the entry that it tests.",
		run: func(t *attempt) {
			t.set("k", "value", time.Hour)
			equal(t, "Has of a present key", t.has("k"), true)
			equal(t, "Has of an absent key", t.has("other"), false)
			t.hit("after Has", "k", "value")
			t.miss("after Has of an absent key", "other")
		}},
	{ID: "BAS-8", Name: "has_of_empty_and_null",
		Rule: "Has of a stored empty or null value is true",
		Why:  "If an empty value looks absent, the program computes it again on every call.",
		run: func(t *attempt) {
			t.set("empty", "", time.Hour)
			t.set("null", "null", time.Hour)
			equal(t, "Has of a key with an empty value", t.has("empty"), true)
			equal(t, "Has of a key with the value null", t.has("null"), true)
			if t.mode == bare {
				return
			}
			view := cache.Of[*int](t.cache)
			key := t.cacheKey("pointer")
			t.must("Set of a nil pointer through a view", view.Set(t.ctx, key, nil))
			value, ok, err := view.Get(t.ctx, key)
			t.must("Get of a nil pointer through a view", err)
			equal(t, "ok of Get of a stored nil pointer", ok, true)
			equal(t, "the stored nil pointer", value, nil)
		}},
	{ID: "BAS-9", Name: "has_keeps_life",
		Rule:  "Has does not change the TTL of an entry",
		Why:   "If Has extends the TTL, an entry that is only tested never expires.",
		flags: needsTime,
		run: func(t *attempt) {
			ttl := t.shortTTL()
			t.set("long", "v", time.Hour)
			t.set("k", "v", ttl)
			t.has("long")
			t.hasTTL("after Has", "long", time.Hour)
			t.pass(ttl / 2)
			t.has("k")
			t.pass(ttl - ttl/2 + t.resolution())
			t.miss("after its TTL, with a Has halfway", "k")
		}},
	{ID: "BAS-10", Name: "constructor_without_server",
		Rule:     "without a server, the constructor works or returns ErrUnavailable, and Ping returns ErrUnavailable",
		Why:      "A constructor that hangs or hides the cause keeps a program from starting during an outage.",
		Features: []Feature{Network}, flags: oneModeOnly | needsOwnStore, run: constructorWithoutServer},
	{ID: "BAS-11", Name: "read_your_writes",
		Rule: "a handle reads what it has written",
		Why:  "If reads go to a replica that lags behind, a user does not see their own change.",
		run: func(t *attempt) {
			for i := range 50 {
				want := fmt.Sprint(i)
				t.set("k", want, time.Hour)
				t.hit("right after Set", "k", want)
			}
			t.delete("k")
			t.miss("right after Delete", "k")
		}},
	{ID: "BAS-12", Name: "expired_is_a_miss",
		Rule:  "Get of an expired key is a miss, even if the bytes are still stored",
		Why:   "Servers remove expired entries late, and a backend that trusts them returns stale data.",
		flags: needsTime,
		run: func(t *attempt) {
			t.setExpired("k")
			t.miss("after its TTL", "k")
		}},
	{ID: "BAS-13", Name: "expired_is_absent_everywhere",
		Rule:  "Has, Add, Delete, Inc, TTL and the batches treat an expired key as absent",
		Why:   "If operations disagree about an expired entry, a lock on that key can neither be read nor taken.",
		flags: needsTime,
		run: func(t *attempt) {
			t.setExpired("has", "add", "delete", "many", "deletemany", "inc", "ttl")
			equal(t, "Has of an expired key", t.has("has"), false)
			equal(t, "Delete of an expired key", t.delete("delete"), false)
			equal(t, "a hit of GetMany of an expired key", t.getMany("many")[0] != nil, false)
			equal(t, "the number of keys that DeleteMany of an expired key returns", len(t.deleteMany("deletemany")), 0)
			equal(t, "Add of an expired key", t.add("add", "new", time.Hour), true)
			if t.supports(Counter) {
				equal(t, "Inc by 1 of an expired key that held 7", t.inc("inc", 1, time.Hour), 1)
			}
			if t.supports(TTL) {
				_, ok, err := t.handle.TTL(t.ctx, "ttl")
				t.must("TTL of an expired key", err)
				equal(t, "ok of TTL of an expired key", ok, false)
			}
		}},
	{ID: "BAS-14", Name: "never_another_keys_value",
		Rule:  "Get never returns a value that was written under another key",
		Why:   "If hashes collide or a reply reaches the wrong caller, one user sees the data of another.",
		flags: needsOwnStore, run: neverAnotherKeysValue},
}

func setReplaces(t *attempt) {
	ttl := t.shortTTL()
	t.set("longer", "old", ttl)
	t.set("longer", "new", time.Hour)
	t.hit("after a second Set", "longer", "new")
	t.hasTTL("after Set with 1h over a shorter TTL", "longer", time.Hour)
	t.set("forever", "old", ttl)
	t.set("forever", "new", 0)
	t.hasTTL("after Set with 0 over a shorter TTL", "forever", 0)
	t.set("shorter", "old", time.Hour)
	t.set("shorter", "new", ttl)
	t.set("limited", "old", 0)
	t.set("limited", "new", ttl)
	t.pass(ttl + t.resolution())
	t.hit("after its first TTL, set again with 1h", "longer", "new")
	t.hit("after its first TTL, set again with 0", "forever", "new")
	t.miss("after its second, shorter TTL", "shorter")
	t.miss("after its second TTL, first set with 0", "limited")
}

func neverAnotherKeysValue(t *attempt) {
	const workers = 8
	rounds := t.fewer(60)
	t.concurrently(workers, func(worker int) {
		mine := keys(fmt.Sprintf("w%d-", worker), rounds)
		for _, key := range mine {
			t.set(key, "value-of-"+key, time.Hour)
		}
		for _, key := range mine {
			t.hit("with 8 concurrent callers", key, "value-of-"+key)
		}
		for i, value := range t.getMany(mine...) {
			equal(t, "GetMany at the position of "+mine[i], string(value), "value-of-"+mine[i])
		}
	})
	if t.supports(Network) && t.mode == plain {
		malformedReplies(t)
	}
}

// malformedReplies breaks replies in the middle and forges them.
func malformedReplies(t *attempt) {
	w := t.openProxied()
	for name, f := range map[string]proxy.Fault{
		"a reset": proxy.Reset, "half a reply and a reset": proxy.PartialReset, "half a reply": proxy.PartialHang,
		"a forged reply": proxy.Garbage, "a reply of one byte at a time": proxy.Drip,
	} {
		t.readsOrFails(w, f, name)
		w.recovers(name)
	}
}

// readsOrFails reads during the fault f. A read without an error returns what is stored.
func (t *attempt) readsOrFails(w proxied, f proxy.Fault, name string) {
	want := string(t.proxiedValue())
	for verb, read := range map[string]func(ctx context.Context) (string, error){
		"Get": func(ctx context.Context) (string, error) {
			value, _, err := w.handle.Get(ctx, "proxied")
			return string(value), err
		},
		"GetMany": func(ctx context.Context) (string, error) {
			values, err := w.handle.GetMany(ctx, "proxied", "absent")
			if err == nil && values[1] != nil {
				return string(values[1]), nil
			}
			return string(values[0]), err
		},
		"Has": func(ctx context.Context) (string, error) {
			ok, err := w.handle.Has(ctx, "proxied")
			return map[bool]string{true: want, false: "false"}[ok], err
		},
	} {
		w.inject(f)
		ctx, cancel := withCallTime(t.ctx)
		got, err := read(ctx)
		cancel()
		if err == nil && got != want {
			t.wrong(verb+" of \"proxied\" with "+name, text(show(got)+", no error"), text("its value "+show(want)+", or an error"))
		}
		w.Drop()
	}
}

func constructorWithoutServer(t *attempt) {
	p, err := proxy.New(t.harness.Faults.Addr)
	t.must("starting the proxy", err)
	p.Close()
	var b driver.Backend
	err = t.returnsWithin("the constructor without a server", 5*time.Second, func() (err error) {
		if b, err = t.harness.Faults.New(t.test, p.Addr()); err == nil {
			t.toClose = append(t.toClose, b)
		}
		return err
	})
	if err != nil {
		t.errorIs("the constructor without a server", err, driver.ErrUnavailable)
		return
	}
	t.errorIs("Ping without a server", cache.New(b).Ping(t.ctx), driver.ErrUnavailable)
}
