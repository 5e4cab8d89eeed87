package conformance

import (
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/cachebackends/cachebackends/conformance/proxy"
	"github.com/cachebackends/cachebackends/core/driver"
)

var swapCases = []Case{
	{ID: "SWP-1", Name: "equal_value",
		Rule:     "CompareAndSwap of an equal value returns true and replaces the value and the TTL",
		Why:      "If the new value keeps the expiry of the old one, it expires too early or stays too long.",
		Features: []Feature{Swap},
		run: func(t *attempt) {
			for i, values := range [][2]string{{"old", "new"}, {"old", ""}, {"", "new"}, {"same", "same"}, {"\x00\xff\r\n", "a\x00b"}, {"1", "2"}} {
				key := fmt.Sprintf("k%d", i)
				t.set(key, values[0], time.Hour)
				equal(t, "CompareAndSwap of "+show(values[0]), t.swap(key, values[0], values[1], 0), true)
				t.hit("after CompareAndSwap", key, values[1])
				t.hasTTL("set with 1h, then CompareAndSwap with 0", key, 0)
				equal(t, "CompareAndSwap again", t.swap(key, values[1], "third", 2*time.Hour), true)
				t.hit("after the second CompareAndSwap", key, "third")
				t.hasTTL("after CompareAndSwap with 2h", key, 2*time.Hour)
			}
		}},
	{ID: "SWP-2", Name: "other_value",
		Rule:     "CompareAndSwap of another value returns false and keeps the value and the TTL",
		Why:      "A change that another program made after the value was read would be lost.",
		Features: []Feature{Swap},
		run: func(t *attempt) {
			for i, values := range [][2]string{{"value", "other"}, {"value", "valu"}, {"value", "value "}, {"value", "Value"}, {"value", ""},
				{"", "value"}, {"", "\x00"}, {"a\x00b", "a\x00c"}, {"a\x00b", "a"}, {"1", "01"}, {"1", "1.0"}} {
				key := fmt.Sprintf("k%d", i)
				t.set(key, values[0], time.Hour)
				equal(t, fmt.Sprintf("CompareAndSwap of %q over %q", values[1], values[0]), t.swap(key, values[1], "new", 0), false)
				t.hit("after a refused CompareAndSwap", key, values[0])
				t.hasTTL("set with 1h, then a refused CompareAndSwap", key, time.Hour)
			}
		}},
	{ID: "SWP-3", Name: "absent_key",
		Rule:     "CompareAndSwap of an absent or expired key returns false and stores nothing",
		Why:      "A program that changes a value which it read earlier must not restore a deleted entry.",
		Features: []Feature{Swap}, flags: needsTime,
		run: func(t *attempt) {
			t.setExpired("expired")
			for _, key := range []string{"absent", "expired"} {
				for _, old := range []string{"", "7"} {
					equal(t, fmt.Sprintf("CompareAndSwap of %q, the key being %s", old, key), t.swap(key, old, "new", time.Hour), false)
				}
				t.miss("after CompareAndSwap", key)
			}
			t.set("brief", "7", time.Hour)
			ttl := t.shortTTL()
			equal(t, "CompareAndSwap", t.swap("brief", "7", "8", ttl), true)
			t.pass(ttl + t.resolution())
			t.miss("after the ttl of CompareAndSwap", "brief")
		}},
	{ID: "SWP-4", Name: "one_winner",
		Rule:     "exactly one of several concurrent CompareAndSwaps of a value, over all handles, returns true",
		Why:      "A backend that compares and then sets loses the change of one of two programs.",
		Features: []Feature{Swap}, flags: needsOwnStore,
		run: swapRace},
	{ID: "SWP-5", Name: "lost_reply",
		Rule:     "a CompareAndSwap whose reply is lost returns ErrUnknownOutcome, never false with a nil error",
		Why:      "A CompareAndSwap that is sent again finds its own value and reports that another program changed it.",
		Features: []Feature{Network, Swap}, flags: oneModeOnly | needsOwnStore,
		run: func(t *attempt) {
			w := t.openProxied()
			w.untilLost(func(int) error {
				w.set("k", []byte("old"))
				w.inject(proxy.LostReply)
				begin := time.Now()
				swapped, err := w.handle.CompareAndSwap(t.ctx, "k", []byte("old"), []byte("new"), time.Hour)
				if !swapped || err != nil {
					t.isUnknown(fmt.Sprintf("CompareAndSwap whose reply was lost (it returned %v)", swapped), begin, err)
				}
				return err
			})
			w.recovers("a lost reply")
			value, _ := w.get("k")
			if got := string(value); got != "old" && got != "new" {
				t.wrong("Get after a CompareAndSwap whose reply was lost", value, text("the old value or the new one"))
			}
		}},
	{ID: "SWP-7", Name: "kept_values",
		Rule:     "CompareAndSwapValue compares with ==, so that pointers are equal if they point to one variable; SWP-1 to SWP-4 hold for it",
		Why:      "A comparison of contents takes the value of another program for the one that was read.",
		Features: []Feature{Swap}, flags: oneModeOnly | needsTime,
		run: swapKeptValues},
	{ID: "SWP-6", Name: "too_large",
		Rule:     "CompareAndSwap with a value over the limit is ErrTooLarge and keeps the old value",
		Why:      "A program that gets false instead reads the value and tries again without end.",
		Features: []Feature{Swap},
		run: func(t *attempt) {
			t.set("k", "old", time.Hour)
			_, err := t.handle.CompareAndSwap(t.ctx, "k", []byte("old"), make([]byte, t.harness.Limits.MaxValue+1), time.Hour)
			t.errorIs("CompareAndSwap with a value over the limit", err, driver.ErrTooLarge)
			t.hit("after CompareAndSwap returned ErrTooLarge", "k", "old")
		},
		notApplicable: func(h Harness) string {
			if h.Limits.MaxValue == 0 {
				return "the harness names no limit (Limits.MaxValue)"
			}
			return ""
		}},
}

// swapRace makes 8 callers swap one value, and then count with CompareAndSwap.
func swapRace(t *attempt) {
	handles := t.handles()
	for round := range t.fewer(50) {
		key := fmt.Sprintf("k%d", round)
		t.set(key, "old", time.Hour)
		var winners atomic.Int32
		var stored atomic.Value
		t.concurrently(8, func(i int) {
			mine := fmt.Sprintf("of-%d", i)
			swapped, err := handles[i%len(handles)].CompareAndSwap(t.ctx, key, []byte("old"), []byte(mine), time.Hour)
			t.must("CompareAndSwap", err)
			if swapped {
				winners.Add(1)
				stored.Store(mine)
			}
		})
		if n := winners.Load(); n != 1 {
			t.stop("the number of 8 concurrent CompareAndSwaps that return true", n, 1)
		}
		t.hit("after concurrent CompareAndSwaps, the value of the winner", key, stored.Load().(string))
	}
	t.countWithSwap(handles)
}

// countWithSwap makes each of 4 callers add 10 to a number with CompareAndSwap.
func (t *attempt) countWithSwap(handles []*handle) {
	const callers, sum = 4, 40
	t.set("n", "0", time.Hour)
	t.concurrently(callers, func(i int) {
		wins := 0
		for range 2 * sum { // a caller loses once at most for each win of another
			old, _, err := handles[i%len(handles)].Get(t.ctx, "n")
			t.must("Get", err)
			n, _ := strconv.Atoi(string(old))
			swapped, err := handles[i%len(handles)].CompareAndSwap(t.ctx, "n", old, []byte(strconv.Itoa(n+1)), time.Hour)
			t.must("CompareAndSwap", err)
			if swapped {
				wins++
			}
			if wins == sum/callers {
				return
			}
		}
		t.wrong(fmt.Sprintf("CompareAndSwaps that return true, of %d", 2*sum), wins, sum/callers)
	})
	t.hit("after 4 x 10 increments with CompareAndSwap", "n", strconv.Itoa(sum))
}
