package conformance

import (
	"errors"
	"fmt"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

var clearCases = []Case{
	{ID: "CLR-1", Name: "clear_empties",
		Rule:  "Clear removes every entry, and Clear of an empty cache is not an error",
		Why:   "One library reports a failure if there was nothing to clear, and a deployment script stops.",
		flags: emptiesStore,
		run: func(t *attempt) {
			t.requireClear()
			t.clear()
			for _, ttl := range []time.Duration{time.Hour, 0} {
				for _, b := range births {
					if t.supports(b.needs) {
						b.store(t, keys("k"+b.name, len(observers)), ttl)
					}
				}
				t.clear()
				for _, b := range births {
					for i, o := range observers {
						if t.supports(b.needs) && t.supports(o.needs) {
							o.observe(t, "stored by "+b.name+", then Clear", keys("k"+b.name, len(observers))[i:i+1], false)
						}
					}
				}
				t.clear()
			}
			t.clear()
		}},
	{ID: "CLR-2", Name: "clear_stays_under_its_prefix",
		Rule:     "Clear with a prefix keeps every key outside the prefix",
		Why:      "Applications share servers, and one of them would clear the data of all.",
		Features: []Feature{PrefixClear}, flags: cacheOnly | oneModeOnly,
		run: func(t *attempt) {
			t.clearKeepsOthers("mine:", "theirs:", "min", "mine", "mines:", "x:mine:", "")
		}},
	{ID: "CLR-3", Name: "clear_needs_permission",
		Rule:          "without permission, Clear without a prefix is ErrUnsupported and removes nothing",
		Why:           "A single wrong call would flush a server that other programs use.",
		flags:         oneModeOnly | needsOwnStore,
		notApplicable: needsStore("ClearForbidden", func(s Stores) bool { return s.ClearForbidden != nil }),
		run: func(t *attempt) {
			h := t.openStore(t.harness.Stores.ClearForbidden(t.test))
			t.must("Set", h.Set(t.ctx, "k", []byte("v"), time.Hour))
			t.errorIs("Clear without a prefix and without permission", h.Clear(t.ctx), errors.ErrUnsupported)
			value, _, err := h.Get(t.ctx, "k")
			t.must("Get", err)
			equal(t, "an entry after Clear returned ErrUnsupported", string(value), "v")
		}},
	{ID: "CLR-4", Name: "clear_of_10_000",
		Rule:     "Clear with a prefix removes 10 000 keys",
		Why:      "A scan that stops after its first page leaves stale entries.",
		Features: []Feature{PrefixClear}, flags: cacheOnly | oneModeOnly | needsOwnStore,
		run: func(t *attempt) {
			n := t.fewer(10_000)
			defer t.callsWithMany(n)()
			list := keys("many:k", n)
			t.setMany(sameItems(list, "v"), time.Hour)
			t.set("other", "v", time.Hour)
			t.must("Clear", cache.New(t.backend, cache.WithPrefix(t.storedKey("many:"))).Clear(t.ctx))
			for i, value := range t.getMany(list...) {
				if value != nil {
					t.stop(fmt.Sprintf("GetMany after Clear of %d keys at the position of %s", n, list[i]), value, text("a miss"))
				}
			}
			t.hit(fmt.Sprintf("after Clear of %d keys with another prefix", n), "other", "v")
		}},
	{ID: "CLR-5", Name: "clear_really_cleared",
		Rule:  "Clear leaves no entry",
		Why:   "One server reports success and clears nothing, and users keep reading stale data.",
		flags: emptiesStore,
		run: func(t *attempt) {
			t.requireClear()
			list := keys("k", 300)
			for i, key := range list {
				t.set(key, "v", time.Duration(i%2)*time.Hour)
			}
			t.clear()
			for i, value := range t.getMany(list...) {
				if value != nil {
					t.stop("GetMany after Clear at the position of "+list[i], value, text("a miss"))
				}
			}
			for _, key := range list {
				equal(t, "Has after Clear", t.has(key), false)
			}
		}},
	{ID: "CLR-8", Name: "set_during_clear",
		Rule:  "a key that is set during Clear is present or absent, without an error or a crash",
		Why:   "Two callers that remove the same entry must not make either of them fail.",
		flags: needsOwnStore | emptiesStore,
		run: func(t *attempt) {
			t.requireClear()
			t.concurrently(5, func(worker int) {
				for i := range 40 {
					key := fmt.Sprintf("w%d-%d", worker, i%10)
					if worker < 2 {
						t.clear()
						continue
					}
					switch worker {
					case 2:
						t.set(key, key, time.Hour)
					case 3:
						t.add(key, key, time.Hour)
					case 4:
						t.setMany(map[string]string{key: key, key + "2": key + "2"}, time.Hour)
					}
					if value, ok := t.get(key); ok {
						equal(t, "a value that was set during Clear", value, key)
					}
					t.delete(key)
				}
			})
			t.set("after", "v", time.Hour)
			t.hit("set after the last Clear", "after", "v")
		}},
}

// requireClear ends the case in a mode in which it cannot call Clear.
func (t *attempt) requireClear() {
	if reason, unavailable := t.clearUnavailable(); unavailable {
		t.notApplicable(reason)
	}
}

// clearUnavailable returns why the case cannot call Clear in this mode: Clear
// without a prefix needs a store that may be emptied.
func (t *attempt) clearUnavailable() (reason string, unavailable bool) {
	if t.mode == prefixed {
		reason, unavailable = t.absent[PrefixClear]
		return reason, unavailable
	}
	reason, unavailable = t.absent[FullClear]
	if !unavailable && !t.ownStore {
		return "other programs may use the store", true
	}
	return reason, unavailable
}

// clearKeepsOthers clears with prefix, and checks that every entry under prefix
// is removed and every entry under others stays.
func (t *attempt) clearKeepsOthers(prefix string, others ...string) {
	for _, other := range others {
		t.set(other+"k", other, time.Hour)
	}
	under := cache.New(t.backend, cache.WithPrefix(t.storedKey(prefix)))
	t.set(prefix+"k", "v", time.Hour)
	t.set(prefix, "v", time.Hour)
	after := "after Clear with the prefix " + show(prefix)
	t.must(after, under.Clear(t.ctx))
	t.miss(after, prefix+"k")
	t.miss(after, prefix)
	for _, other := range others {
		t.hit(after, other+"k", other)
	}
}
