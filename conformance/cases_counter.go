package conformance

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/cachebackends/cachebackends/conformance/proxy"
	"github.com/cachebackends/cachebackends/core/driver"
)

var counterCases = []Case{
	{ID: "CNT-1", Name: "absent_starts_at_delta",
		Rule:     "Inc of an absent key starts at delta, Dec at -delta",
		Why:      "A program that counts visits does not create its counters first.",
		Features: []Feature{Counter},
		run: func(t *attempt) {
			equal(t, "Inc of an absent key by 5", t.inc("k", 5, time.Hour), 5)
			t.hit("after Inc of an absent key by 5", "k", "5")
			t.hasTTL("created by Inc with 1h", "k", time.Hour)
			equal(t, "Inc again by 1", t.inc("k", 1, time.Hour), 6)
			equal(t, "Inc of an absent key by 0", t.inc("zero", 0, time.Hour), 0)
			t.hit("after Inc of an absent key by 0", "zero", "0")
			if t.harness.Limits.CounterMin != nil {
				return
			}
			equal(t, "Inc of an absent key by -3", t.inc("down", -3, time.Hour), -3)
			if t.mode != bare {
				sum, err := t.cache.Dec(t.ctx, t.cacheKey("dec"), 4)
				t.must("Dec", err)
				equal(t, "Dec of an absent key by 4", sum, -4)
			}
		}},
	{ID: "CNT-2", Name: "inc_after_set",
		Rule:     "Inc of an integer that Set stored works, and Get returns the sum",
		Why:      "If Inc and Set use different forms of a number, a counter with a start value cannot be incremented or read.",
		Features: []Feature{Counter},
		run: func(t *attempt) {
			t.set("k", "41", time.Hour)
			equal(t, "Inc of 41", t.inc("k", 1, time.Hour), 42)
			t.hit("after Inc of 41", "k", "42")
			t.set("k", "99", time.Hour)
			equal(t, "Inc of 99", t.inc("k", 1, time.Hour), 100)
			t.hit("after Inc of 99", "k", "100")
			equal(t, "Inc of 100 by -1", t.inc("k", -1, time.Hour), 99)
			t.hit("after Inc of 100 by -1, without a trailing space", "k", "99")
		}},
	{ID: "CNT-3", Name: "text_is_not_an_integer",
		Rule:     "Inc of a value that is not an integer is ErrNotInteger and keeps the value",
		Why:      "An Inc that starts again from 0 destroys the value.",
		Features: []Feature{Counter},
		run: func(t *attempt) {
			for i, value := range []string{
				"text", "", "1.5", "1e3", "0x10", "1x", "--1", "9223372036854775808", "\x00",
				" 5", "5 ", "\t5", "5\n", "+5", "007", "-0", "-", "1_0", "1,000", "0b1", "٣", "5\x00",
			} {
				key := fmt.Sprintf("k%d", i)
				t.set(key, value, time.Hour)
				_, err := t.handle.Inc(t.ctx, key, 1, time.Hour)
				t.errorIs("Inc of "+show(value), err, driver.ErrNotInteger)
				t.hit("after Inc returned ErrNotInteger", key, value)
				t.hasTTL("after Inc returned ErrNotInteger", key, time.Hour)
			}
		}},
	{ID: "CNT-4", Name: "overflow",
		Rule:     "Inc beyond int64 is an error and keeps the value",
		Why:      "One server wraps to 0, and a quota that was used up is full again.",
		Features: []Feature{Counter},
		run: func(t *attempt) {
			t.overflows("high", math.MaxInt64, 1)
			t.overflows("half", math.MaxInt64/2+1, math.MaxInt64/2+1)
			if t.harness.Limits.CounterMin == nil {
				t.overflows("low", math.MinInt64, -1)
			}
		}},
	{ID: "CNT-5", Name: "below_zero",
		Rule:     "Inc of 0 by -1 returns -1; below Limits.CounterMin it is an error",
		Why:      "One server stops at 0 without an error, and later increments no longer balance the decrements.",
		Features: []Feature{Counter},
		run: func(t *attempt) {
			if lowest := t.harness.Limits.CounterMin; lowest != nil {
				t.overflows("k", *lowest, -1)
				return
			}
			t.set("k", "0", time.Hour)
			equal(t, "Inc of 0 by -1", t.inc("k", -1, time.Hour), -1)
			t.hit("after Inc of 0 by -1", "k", "-1")
			equal(t, "Inc of -1 by 3", t.inc("k", 3, time.Hour), 2)
			t.set("low", fmt.Sprint(int64(math.MinInt64+1)), time.Hour)
			equal(t, "Inc down to the lowest integer", t.inc("low", -1, time.Hour), math.MinInt64)
		}},
	{ID: "CNT-6", Name: "no_update_is_lost",
		Rule:     "20 concurrent callers that call Inc 50 times each count to 1000",
		Why:      "An Inc that reads and then writes loses updates, and a rate limit lets too many requests through.",
		Features: []Feature{Counter}, flags: needsOwnStore,
		run: func(t *attempt) {
			const callers, times = 20, 50
			t.concurrently(callers, func(int) {
				for range times {
					_, err := t.handle.Inc(t.ctx, "k", 1, time.Hour)
					t.must("Inc", err)
				}
			})
			t.hit("after 20 x 50 Inc", "k", "1000")
		}},
	{ID: "CNT-7", Name: "lost_reply",
		Rule:     "an Inc whose reply is lost returns ErrUnknownOutcome and counts at most once",
		Why:      "A retried Inc counts one event twice, and the sum stays too high.",
		Features: []Feature{Network, Counter}, flags: oneModeOnly | needsOwnStore,
		run: incWithLostReply},
}

// overflows records a failure if Inc of n by delta is not an error.
func (t *attempt) overflows(key string, n, delta int64) {
	t.set(key, fmt.Sprint(n), time.Hour)
	sum, err := t.handle.Inc(t.ctx, key, delta, time.Hour)
	if !errors.Is(err, driver.ErrNotInteger) {
		t.wrong(fmt.Sprintf("Inc of %d by %d", n, delta), text(fmt.Sprintf("%d, %v", sum, err)), driver.ErrNotInteger)
	}
	t.hit("after Inc returned ErrNotInteger", key, fmt.Sprint(n))
	t.hasTTL("after Inc returned ErrNotInteger", key, time.Hour)
}

func incWithLostReply(t *attempt) {
	w := t.openProxied()
	var key string
	w.untilLost(func(i int) error {
		key = fmt.Sprintf("n%d", i)
		w.set(key, []byte("0"))
		w.inject(proxy.LostReply)
		begin := time.Now()
		sum, err := w.handle.Inc(t.ctx, key, 1, time.Hour)
		if sum != 1 || err != nil {
			t.isUnknown(fmt.Sprintf("Inc whose reply was lost (it returned %d)", sum), begin, err)
		}
		return err
	})
	w.recovers("a lost reply")
	value, _ := w.get(key)
	if counted := string(value); counted != "0" && counted != "1" {
		t.wrong("the counter, from 0, after one Inc whose reply was lost", counted, text("0 or 1"))
	}
}
