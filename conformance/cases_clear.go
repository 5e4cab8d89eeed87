package conformance

import (
	"fmt"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

var clearCases = []Case{
	{ID: "CLR-1", Name: "clear_empties",
		Rule: "Clear empties, and Clear of an empty cache is no error",
		Why:  "one library answers false when there was nothing to do", traits: clears,
		Run: func(t *T) {
			t.clearable()
			t.Clear()
			t.Set("a", "1", time.Hour)
			t.Set("b", "2", 0)
			t.Clear()
			t.Miss("after Clear", "a")
			t.Miss("after Clear", "b")
			t.Clear()
			Equal(t, "Add after Clear", t.Add("a", "3", time.Hour), true)
			t.Hit("after Clear and Add", "a", "3")
		}},
	{ID: "CLR-2", Name: "clear_stays_under_its_prefix",
		Rule:     "Clear with a prefix leaves every other prefix and every key without one",
		Why:      "applications share servers",
		Features: []Feature{PrefixClear}, traits: cacheOnly | once,
		Run: func(t *T) { t.clearLeaves("mine:", "theirs:", "min", "mine", "mines:", "x:mine:", "") }},
	{ID: "CLR-3", Name: "clear_needs_permission",
		Rule:   "Clear without a prefix is ErrUnsupported, and clears nothing, where the backend has not been permitted to empty the store",
		Why:    "a server is flushed by accident",
		traits: once | private, Run: clearIsGuarded,
		when: func(h Harness) string { return unlessLent(h.Guarded != nil, "Guarded") }},
	{ID: "CLR-4", Name: "clear_of_10_000",
		Rule:     "Clear with a prefix removes 10 000 keys",
		Why:      "a scan that stops at its first page",
		Features: []Feature{PrefixClear}, traits: cacheOnly | once | private,
		Run: func(t *T) { t.clearMany(t.fewer(10_000)) }},
	{ID: "CLR-5", Name: "clear_really_cleared",
		Rule: "after Clear nothing is left",
		Why:  "one server says ok and clears nothing", traits: clears,
		Run: func(t *T) {
			t.clearable()
			list := keys("k", 300)
			for i, key := range list {
				t.Set(key, "v", time.Duration(i%2)*time.Hour)
			}
			t.Clear()
			for i, value := range t.GetMany(list...) {
				if value != nil {
					t.Stop("GetMany after Clear, at the place of "+list[i], value, text("a miss"))
				}
			}
			for _, key := range list {
				Equal(t, "Has after Clear", t.Has(key), false)
			}
		}},
	{ID: "CLR-8", Name: "set_during_clear",
		Rule:   "a key set during Clear is there or not: no error, no crash",
		Why:    "two callers remove one thing",
		traits: private | clears,
		Run: func(t *T) {
			t.clearable()
			t.Go(5, func(worker int) {
				for i := range 40 {
					key := fmt.Sprintf("w%d-%d", worker, i%10)
					switch worker {
					case 0, 1:
						t.Clear()
					default:
						t.Set(key, key, time.Hour)
						if value, ok := t.Get(key); ok {
							Equal(t, "a value that was set during Clear", value, key)
						}
						t.Delete(key)
					}
				}
			})
			t.Set("after", "v", time.Hour)
			t.Hit("set after all the Clears", "after", "v")
		}},
}

// clearable ends the case where Clear cannot be called in this mode.
func (t *T) clearable() {
	if reason, not := t.unclearable(); not {
		t.NotHere(reason)
	}
}

// unclearable says why Clear cannot be called in this mode: without a prefix, it
// needs a store that may be emptied.
func (t *T) unclearable() (reason string, not bool) {
	if t.mode == prefixed {
		reason, not = t.absent[PrefixClear]
		return reason, not
	}
	reason, not = t.absent[FullClear]
	if !not && !t.own {
		return "others may use the store", true
	}
	return reason, not
}

func (t *T) clearMany(n int) {
	list, items := keys("many:k", n), map[string]string{}
	for _, key := range list {
		items[key] = "v"
	}
	t.SetMany(items, time.Hour)
	t.Set("other", "v", time.Hour)
	t.Ok("Clear", cache.New(t.backend, cache.WithPrefix(t.Full("many:"))).Clear(t.ctx))
	for i, value := range t.GetMany(list...) {
		if value != nil {
			t.Stop(fmt.Sprintf("GetMany after Clear of %d keys, at the place of %s", n, list[i]), value, text("a miss"))
		}
	}
	t.Hit("after Clear of 10 000 keys under another prefix", "other", "v")
}
