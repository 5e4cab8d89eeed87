package conformance

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// keptValues calls the backend itself: Cache has no operations on kept values.
func keptValues(t *attempt) {
	b := driver.Resolve(t.first)
	key := t.storedKey("k")
	t.cacheKey("k")
	_, _, first, err := b.LeaseValue(t.ctx, key, driver.MaxHold)
	if driver.IsUnsupported(err) {
		t.notApplicable("the backend does not lease values without encoding (driver.ValueLeaser)")
	}
	t.must("LeaseValue", err)
	lease := func(when string) (value any, token string) {
		value, ok, token, err := b.LeaseValue(t.ctx, key, driver.MaxHold)
		t.must("LeaseValue "+when, err)
		if ok != (value != nil) || ok && token != "" {
			t.wrong("LeaseValue "+when, text(fmt.Sprintf("%v, ok=%v, token %q", value, ok, token)), text("a value or a token"))
		}
		return value, token
	}
	fill := func(when, token string, value any, want bool) {
		filled, err := b.FillValue(t.ctx, key, token, value, time.Hour)
		t.must("FillValue "+when, err)
		equal(t, "FillValue "+when, filled, want)
	}
	_, waiting := lease("of a leased key")
	equal(t, "the token of LeaseValue of a leased key", waiting, "")
	_, ok, err := b.GetValue(t.ctx, key)
	t.must("GetValue", err)
	equal(t, "GetValue of a leased key, ok", ok, false)
	_, err = b.Delete(t.ctx, key)
	t.must("Delete", err)
	fill("after Delete", first, "stale", false)
	_, second := lease("after Delete")
	t.must("SetValue", b.SetValue(t.ctx, key, "new", time.Hour))
	fill("after SetValue", second, "stale", false)
	value, _ := lease("after SetValue and a refused FillValue")
	equal(t, "LeaseValue after SetValue and a refused FillValue", value, any("new"))
	_, err = b.Delete(t.ctx, key)
	t.must("Delete", err)
	_, third := lease("after a second Delete")
	t.must("Release", b.Release(t.ctx, key, third))
	fill("after Release", third, "stale", false)
	_, fourth := lease("after Release")
	loaded := &struct{ name string }{"loaded"}
	fill("with the lease", fourth, loaded, true)
	value, _ = lease("after FillValue")
	equal(t, "LeaseValue after FillValue", value, any(loaded))
	fill("with a used token", fourth, "stale", false)
	value, _, err = b.GetValue(t.ctx, key)
	t.must("GetValue", err)
	equal(t, "GetValue after FillValue", value, any(loaded))
}

func keptValuesExpire(t *attempt) {
	b := driver.Resolve(t.first)
	late, brief := t.storedKey("late"), t.storedKey("brief")
	t.cacheKey("late")
	t.cacheKey("brief")
	hold := t.shortTTL()
	_, _, first, err := b.LeaseValue(t.ctx, late, hold)
	if driver.IsUnsupported(err) {
		t.notApplicable("the backend does not lease values without encoding (driver.ValueLeaser)")
	}
	t.must("LeaseValue", err)
	_, _, token, err := b.LeaseValue(t.ctx, brief, driver.MaxHold)
	t.must("LeaseValue", err)
	filled, err := b.FillValue(t.ctx, brief, token, "v", hold)
	t.must("FillValue", err)
	equal(t, "FillValue with a short ttl", filled, true)
	t.pass(hold + t.resolution())
	filled, err = b.FillValue(t.ctx, late, first, "stale", time.Hour)
	t.must("FillValue after hold", err)
	equal(t, "FillValue after hold", filled, false)
	for name, key := range map[string]string{"after hold": late, "after the TTL of FillValue": brief} {
		value, ok, err := b.GetValue(t.ctx, key)
		t.must("GetValue", err)
		if ok {
			t.wrong("GetValue "+name, value, text("a miss"))
		}
		value, ok, token, err := b.LeaseValue(t.ctx, key, driver.MaxHold)
		t.must("LeaseValue "+name, err)
		if ok || token == "" {
			t.wrong("LeaseValue "+name, text(fmt.Sprintf("%v, token %q", value, token)), text("a token"))
		}
	}
}

// swapKeptValues calls the backend itself, as keptValues.
func swapKeptValues(t *attempt) {
	b := driver.Resolve(t.first)
	type user struct{ name string }
	old, equalToOld, other := &user{"a"}, &user{"a"}, &user{"b"}
	key := t.storedKey("k")
	t.cacheKey("k")
	swap := func(when string, old, value any, ttl time.Duration, want bool) {
		swapped, err := b.CompareAndSwapValue(t.ctx, key, old, value, ttl)
		if driver.IsUnsupported(err) {
			t.notApplicable("the backend does not swap values without encoding (driver.ValueSwapper)")
		}
		t.must("CompareAndSwapValue "+when, err)
		equal(t, "CompareAndSwapValue "+when, swapped, want)
	}
	holds := func(when string, want any) {
		value, ok, err := b.GetValue(t.ctx, key)
		t.must("GetValue", err)
		if ok != (want != nil) || ok && value != want {
			t.wrong("GetValue "+when, text(fmt.Sprintf("%v, ok=%v", value, ok)), text(fmt.Sprint(want)))
		}
	}
	swap("of an absent key", old, other, time.Hour, false)
	holds("after CompareAndSwapValue of an absent key", nil)
	t.must("SetValue", b.SetValue(t.ctx, key, old, time.Hour))
	swap("of a pointer to an equal variable", equalToOld, other, 0, false)
	swap("of a value of another type", "a", other, 0, false)
	holds("after refused calls of CompareAndSwapValue", old)
	swap("of the same pointer", old, other, 0, true)
	holds("after CompareAndSwapValue", other)
	if t.readsTTL() {
		left, _, err := b.TTL(t.ctx, key)
		t.must("TTL", err)
		equal(t, "TTL after SetValue with 1h and CompareAndSwapValue with 0", left, 0)
	}
	ttl := t.shortTTL()
	swap("with a short ttl", other, 7, ttl, true)
	t.pass(ttl + t.resolution())
	holds("after the ttl of CompareAndSwapValue", nil)
	swap("of an expired key", 7, 8, time.Hour, false)
	holds("after CompareAndSwapValue of an expired key", nil)
	for i := range t.fewer(50) {
		t.must("SetValue", b.SetValue(t.ctx, key, i, time.Hour))
		var winners atomic.Int32
		var stored atomic.Value
		t.concurrently(4, func(worker int) {
			mine := fmt.Sprint(worker)
			swapped, err := b.CompareAndSwapValue(t.ctx, key, i, mine, time.Hour)
			t.must("CompareAndSwapValue", err)
			if swapped {
				winners.Add(1)
				stored.Store(mine)
			}
		})
		if n := winners.Load(); n != 1 {
			t.stop("the number of 4 concurrent CompareAndSwapValues that return true", n, 1)
		}
		holds("after 4 concurrent calls of CompareAndSwapValue, the value of the winner", stored.Load())
	}
}
