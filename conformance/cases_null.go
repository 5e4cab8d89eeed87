package conformance

import (
	"context"
	"errors"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

var nullCases = []Case{
	{ID: "NUL-1", Name: "stores_nothing",
		Rule:  "null: Set, Add, Delete and Clear succeed, Get is always a miss, Add returns true and Delete false",
		Why:   "A program without a cache must behave like one with an empty cache.",
		flags: nullOnly,
		run: func(t *attempt) {
			t.set("k", "v", time.Hour)
			t.miss("after Set", "k")
			equal(t, "Add", t.add("k", "v", time.Hour), true)
			equal(t, "a second Add", t.add("k", "v", time.Hour), true)
			equal(t, "Has after Set and Add", t.has("k"), false)
			t.setMany(map[string]string{"k": "v"}, 0)
			for _, value := range t.getMany("k", "l") {
				equal(t, "a miss of GetMany after SetMany", value == nil, true)
			}
			equal(t, "Delete", t.delete("k"), false)
			equal(t, "the number of keys that DeleteMany returns", len(t.deleteMany("k", "l")), 0)
			err := t.handle.Clear(t.ctx)
			if t.mode != prefixed || !errors.Is(err, errors.ErrUnsupported) {
				t.must("Clear", err)
			}
			sum, err := t.handle.Inc(t.ctx, "k", 3, time.Hour)
			if !errors.Is(err, errors.ErrUnsupported) {
				t.must("Inc", err)
				equal(t, "Inc by 3 of a key that is always absent", sum, 3)
			}
		}},
	{ID: "NUL-2", Name: "checks_as_the_others_do",
		Rule:  "null: an empty key, a negative timeout, a done context and a closed cache are errors as everywhere",
		Why:   "Tests that run without a cache then find the same mistakes as production does.",
		flags: nullOnly | cacheOnly,
		run: func(t *attempt) {
			t.errorIs("Set with an empty key", t.cache.Set(t.ctx, "", nil), driver.ErrInvalidKey)
			t.errorIs("Set with a negative timeout", t.cache.Set(t.ctx, "k", nil, cache.Timeout(-1)), driver.ErrInvalidTimeout)
			done, cancel := context.WithCancel(t.ctx)
			cancel()
			t.errorIs("Set with a cancelled context", t.cache.Set(done, "k", nil), context.Canceled)
			t.must("Close", t.close())
			for _, op := range t.supported(allOperations) {
				t.errorIs(op.name+" after Close", op.call(t.ctx, t.handle, "k"), driver.ErrClosed)
			}
		}},
}
