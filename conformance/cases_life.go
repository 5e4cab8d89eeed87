package conformance

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

var lifeCases = []Case{
	{ID: "LIF-1", Name: "value_and_ttl",
		Rule:     "GetWithTTL returns the value of a key with its remaining TTL, 0 if it never expires, whichever operation stored it",
		Why:      "A wrapper that keeps a copy for too long serves it after the entry has expired.",
		Features: []Feature{GetWithTTL},
		run:      valueAndTTL},
	{ID: "LIF-2", Name: "one_entry",
		Rule:     "GetWithTTL and GetManyWithTTL return value and TTL of one entry while others overwrite it",
		Why:      "A copy of a value that lives for a second would be kept for the day of the value that replaced it.",
		Features: []Feature{GetWithTTL}, flags: needsOwnStore,
		run: valueAndTTLOfOneEntry},
	{ID: "LIF-3", Name: "not_longer_than_present",
		Rule:     "the TTL that GetWithTTL returns is not longer than the entry is still present, and is not 0 shortly before its end",
		Why:      "A TTL that is rounded up outlives the entry, and one that is rounded down to 0 never ends.",
		Features: []Feature{GetWithTTL}, flags: needsTime,
		run: notLongerThanPresent},
	{ID: "LIF-4", Name: "absent",
		Rule:     "GetWithTTL and GetManyWithTTL of a key that is absent, deleted or expired are a miss without an error",
		Why:      "A miss is the common case, and a wrapper must not keep what has expired.",
		Features: []Feature{GetWithTTL}, flags: needsTime,
		run: func(t *attempt) {
			t.set("deleted", "7", time.Hour)
			t.delete("deleted")
			t.setExpired("expired")
			list := []string{"absent", "deleted", "expired"}
			values, _ := t.getManyWithTTL(list...)
			for i, key := range list {
				if value, ttl, ok := t.getWithTTL(key); ok {
					t.wrong("GetWithTTL("+show(key)+")", text(fmt.Sprintf("%s, %v", show(value), ttl)), text("a miss"))
				}
				if values[i] != nil {
					t.wrong("GetManyWithTTL at the position of "+show(key), values[i], text("a miss"))
				}
			}
		}},
	{ID: "LIF-5", Name: "batches",
		Rule:     "GetManyWithTTL returns a value and a TTL for each key in the order of the keys, also for repeated keys",
		Why:      "A value that is kept with the TTL of another key is served too long or read too often.",
		Features: []Feature{GetWithTTL},
		run:      batchesWithTTL},
	{ID: "LIF-6", Name: "invalid_keys",
		Rule:          "GetManyWithTTL with invalid keys names exactly these in a BatchError, and has one result per key",
		Why:           "A caller that finds the results by position would read beyond their end.",
		Features:      []Feature{GetWithTTL},
		notApplicable: needsInvalidKeys,
		run: func(t *attempt) {
			invalid := t.invalidKeys()
			list := slices.Concat([]string{"a"}, invalid, []string{"b"})
			t.setMany(sameItems([]string{"a", "b"}, "v"), time.Hour)
			values, ttls, err := t.handle.GetManyWithTTL(t.ctx, list...)
			t.errorIs("GetManyWithTTL with invalid keys", err, driver.ErrInvalidKey)
			var named []string
			for _, key := range invalid {
				named = append(named, t.storedKey(key))
			}
			t.failsExactly("GetManyWithTTL with invalid keys", err, named...)
			if len(values) != len(list) || len(ttls) != len(list) {
				t.stop("the number of values and TTLs of GetManyWithTTL with invalid keys", text(fmt.Sprint(len(values), len(ttls))), len(list))
			}
			for i := range invalid {
				equal(t, "a hit of GetManyWithTTL of an invalid key", values[1+i] != nil, false)
			}
		}},
}

// getWithTTL returns the value of key with its remaining TTL.
func (t *attempt) getWithTTL(key string) (value string, ttl time.Duration, ok bool) {
	t.step(key)
	got, ttl, ok, err := t.handle.GetWithTTL(t.ctx, key)
	t.must("GetWithTTL("+show(key)+")", err)
	return string(got), ttl, ok
}

// getManyWithTTL returns one value, nil for a miss, and one TTL per key.
func (t *attempt) getManyWithTTL(keys ...string) ([][]byte, []time.Duration) {
	t.step(keys...)
	values, ttls, err := t.handle.GetManyWithTTL(t.ctx, keys...)
	what := fmt.Sprintf("GetManyWithTTL of %d keys", len(keys))
	t.must(what, err)
	if len(values) != len(keys) || len(ttls) != len(keys) {
		t.stop("the number of values and TTLs of "+what, text(fmt.Sprint(len(values), len(ttls))), len(keys))
	}
	return values, ttls
}

// lives records a failure if key does not hold want with what is left of ttl.
func (t *attempt) lives(when, key, want string, ttl time.Duration) {
	value, left, ok := t.getWithTTL(key)
	what := when + ": GetWithTTL(" + show(key) + ")"
	if !ok {
		t.wrong(what, text("a miss"), want)
		return
	}
	equal(t, what, value, want)
	t.isLeftOf(what, key, left, ttl)
}

// isLeftOf records a failure if left is not what is left of ttl since the last write of
// key. It must not be longer, so that it may be shorter by the resolution and by the
// duration of the call, which is at most the age of the entry.
func (t *attempt) isLeftOf(what, key string, left, ttl time.Duration) {
	if t.harness.declares(OneTTL) {
		return
	}
	t.mu.Lock()
	age := t.now().Sub(t.writtenAt[key])
	t.mu.Unlock()
	most := ttl + t.resolution()
	least := min(ttl, 10*year) - 2*age - t.resolution() // a store may shorten a TTL of years
	switch {
	case ttl == 0 && left == 0, ttl >= 10*year && left == 0:
	case ttl == 0:
		t.wrong(what+", TTL", left, ttlText(0))
	case left == 0:
		t.wrong(what+", TTL", text("0 (never expires)"), ttlText(ttl))
	case left > most || left < least:
		t.wrong(what+", TTL", left, text(fmt.Sprintf("%v to %v", least, most)))
	}
}

func valueAndTTL(t *attempt) {
	for _, b := range births {
		if !t.supports(b.needs) {
			continue
		}
		for _, ttl := range []time.Duration{0, time.Minute + 500*time.Millisecond, 40 * day, 12 * year} {
			key := fmt.Sprintf("%s-%d", b.name, ttl)
			b.store(t, []string{key}, ttl)
			t.lives("after "+b.name, key, "7", ttl)
			t.lives("after "+b.name+" and GetWithTTL", key, "7", ttl)
		}
	}
	for i, ttls := range [][2]time.Duration{{0, time.Hour}, {time.Hour, 0}, {time.Hour, 2 * day}} {
		key := fmt.Sprintf("overwritten%d", i)
		t.set(key, "old", ttls[0])
		t.set(key, "", ttls[1])
		t.lives("after Set over another TTL", key, "", ttls[1])
	}
	if t.supports(Counter) {
		t.set("n", "41", time.Hour)
		_, err := t.handle.Inc(t.ctx, "n", 1, 2*day)
		t.must("Inc", err)
		t.lives("after Set with 1h and Inc", "n", "42", time.Hour)
	}
	if t.supports(Swap) {
		t.set("swapped", "old", time.Hour)
		equal(t, "CompareAndSwap", t.swap("swapped", "old", "new", 2*day), true)
		t.lives("after CompareAndSwap with 2 days", "swapped", "new", 2*day)
	}
}

// valueAndTTLOfOneEntry overwrites a key with values that each have a TTL of their own.
func valueAndTTLOfOneEntry(t *attempt) {
	entries := []struct {
		value       string
		ttl         time.Duration
		least, most time.Duration
	}{{"never", 0, 0, 0}, {"hour", time.Hour, 1, 2 * time.Hour}, {"days", 4 * day, 3 * day, 5 * day}}
	check := func(value []byte, left time.Duration) {
		for _, e := range entries {
			if e.value == string(value) && (left < e.least || left > e.most) {
				t.stop("the TTL with the value that was set with "+string(ttlText(e.ttl)), left, ttlText(e.ttl))
			}
		}
	}
	handles := t.handles()
	var writers, hits atomic.Int64
	writers.Store(3)
	t.set("k", entries[0].value, entries[0].ttl)
	t.concurrently(6, func(worker int) {
		h := handles[worker%len(handles)]
		if worker < 3 {
			defer writers.Add(-1)
			for i := range t.fewer(150) {
				e := entries[(worker+i)%len(entries)]
				t.must("Set", h.Set(t.ctx, "k", []byte(e.value), e.ttl))
			}
			return
		}
		for again := true; again; again = writers.Load() > 0 {
			value, left, ok, err := h.GetWithTTL(t.ctx, "k")
			t.must("GetWithTTL", err)
			values, ttls, err := h.GetManyWithTTL(t.ctx, "k")
			t.must("GetManyWithTTL", err)
			check(value, left)
			check(values[0], ttls[0])
			if ok && values[0] != nil {
				hits.Add(1)
			}
		}
	})
	if hits.Load() == 0 {
		t.wrong("hits of GetWithTTL of a key that is overwritten", 0, text("all calls"))
	}
}

// notLongerThanPresent reads an entry until it has expired. After each read the entry
// must stay for the TTL that was returned.
func notLongerThanPresent(t *attempt) {
	ttl := t.shortTTL()
	until := t.now() // the entry must be present until then
	t.set("k", "v", ttl)
	end := t.now().Add(ttl + t.resolution())
	for {
		began := t.now()
		_, left, ok := t.getWithTTL("k")
		ended := t.now()
		switch {
		case !ok && ended.Before(until):
			t.stop(fmt.Sprintf("GetWithTTL %v before the end of the TTL that an earlier call has returned", until.Sub(ended)), text("a miss"), text("a hit"))
		case !ok && !ended.Before(end):
			return
		case ok && left <= 0:
			t.stop("the TTL of GetWithTTL of an entry that expires", left, text("more than 0"))
		case ok && began.Add(left).After(until):
			until = began.Add(left)
		}
		if ok && began.After(end) {
			t.stop("GetWithTTL after the TTL", text("a hit"), text("a miss"))
		}
		t.pass(ttl / 40)
	}
}

func batchesWithTTL(t *attempt) {
	t.set("never", "n", 0)
	t.set("hour", "h", time.Hour)
	t.set("days", "", 2*day)
	want := map[string]struct {
		value string
		ttl   time.Duration
	}{"never": {"n", 0}, "hour": {"h", time.Hour}, "days": {"", 2 * day}}
	for _, list := range [][]string{
		{"never", "hour", "days"}, {"x", "days", "hour", "y", "never"}, {"hour", "hour", "x", "never", "hour", "x", "days"}, {"x", "y"}, {"days"}, {},
	} {
		values, ttls := t.getManyWithTTL(list...)
		for i, key := range list {
			what := fmt.Sprintf("GetManyWithTTL(%q) at position %d", list, i)
			e, present := want[key]
			if (values[i] != nil) != present || string(values[i]) != e.value {
				t.wrong(what, values[i], e.value)
			} else if present {
				t.isLeftOf(what, key, ttls[i], e.ttl)
			}
		}
	}
	n := t.fewer(1000)
	list := keys("k", n)
	t.setMany(sameItems(list, "v"), time.Hour)
	values, ttls := t.getManyWithTTL(list...)
	for i, key := range list {
		if string(values[i]) != "v" {
			t.stop(fmt.Sprintf("GetManyWithTTL of %d keys at the position of %s", n, key), values[i], "v")
		}
		t.isLeftOf(fmt.Sprintf("GetManyWithTTL of %d keys at the position of %s", n, key), key, ttls[i], time.Hour)
	}
}
