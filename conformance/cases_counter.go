package conformance

import (
	"errors"
	"fmt"
	"math"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

var counterCases = []Case{
	{ID: "CNT-1", Name: "absent_starts_at_delta",
		Rule:     "Inc of an absent key starts at delta, Dec at -delta",
		Why:      "counters begin without being set up",
		Features: []Feature{Counter},
		Run: func(t *T) {
			Equal(t, "Inc of an absent key by 5", t.Inc("k", 5, time.Hour), 5)
			t.Hit("after Inc of an absent key by 5", "k", "5")
			t.Life("made by Inc with 1h", "k", time.Hour)
			Equal(t, "Inc again by 1", t.Inc("k", 1, time.Hour), 6)
			Equal(t, "Inc of an absent key by 0", t.Inc("zero", 0, time.Hour), 0)
			if t.harness.CounterMin != nil {
				return
			}
			Equal(t, "Inc of an absent key by -3", t.Inc("down", -3, time.Hour), -3)
			if t.mode != bare {
				sum, err := t.cache.Dec(t.ctx, t.Own("dec"), 4)
				t.Ok("Dec", err)
				Equal(t, "Dec of an absent key by 4", sum, -4)
			}
		}},
	{ID: "CNT-2", Name: "inc_after_set",
		Rule:     "Inc works on an integer that Set stored, and Get returns the sum",
		Why:      "serialised integers cannot be counted",
		Features: []Feature{Counter},
		Run: func(t *T) {
			t.Set("k", "41", time.Hour)
			Equal(t, "Inc of 41", t.Inc("k", 1, time.Hour), 42)
			t.Hit("after Inc of 41", "k", "42")
			t.Set("k", "99", time.Hour)
			Equal(t, "Inc of 99", t.Inc("k", 1, time.Hour), 100)
			t.Hit("after Inc of 99", "k", "100")
			Equal(t, "Inc of 100 by -1", t.Inc("k", -1, time.Hour), 99)
			t.Hit("after Inc of 100 by -1, without a trailing blank", "k", "99")
		}},
	{ID: "CNT-3", Name: "text_is_not_an_integer",
		Rule:     "Inc of a text is ErrNotInteger, and the value stays",
		Why:      "counting from 0 would destroy it",
		Features: []Feature{Counter},
		Run: func(t *T) {
			for i, value := range []string{"text", "", "1.5", "1e3", "0x10", "1x", "--1", "9223372036854775808", "\x00"} {
				key := fmt.Sprintf("k%d", i)
				t.Set(key, value, time.Hour)
				_, err := t.try.Inc(t.ctx, key, 1, time.Hour)
				t.ErrorIs("Inc of "+show(value), err, cache.ErrNotInteger)
				t.Hit("after Inc was refused", key, value)
			}
		}},
	{ID: "CNT-4", Name: "overflow",
		Rule:     "Inc beyond int64 is an error, and the value stays",
		Why:      "one server wraps to 0",
		Features: []Feature{Counter},
		Run: func(t *T) {
			t.beyond("high", math.MaxInt64, 1)
			t.beyond("half", math.MaxInt64/2+1, math.MaxInt64/2+1)
			if t.harness.CounterMin == nil {
				t.beyond("low", math.MinInt64, -1)
			}
		}},
	{ID: "CNT-5", Name: "below_zero",
		Rule:     "Inc of 0 by -1 gives -1, unless Harness.CounterMin says otherwise",
		Why:      "one server stops at 0, in silence",
		Features: []Feature{Counter},
		Run: func(t *T) {
			if minimum := t.harness.CounterMin; minimum != nil {
				t.beyond("k", *minimum, -1)
				return
			}
			t.Set("k", "0", time.Hour)
			Equal(t, "Inc of 0 by -1", t.Inc("k", -1, time.Hour), -1)
			t.Hit("after Inc of 0 by -1", "k", "-1")
			Equal(t, "Inc of -1 by 3", t.Inc("k", 3, time.Hour), 2)
			t.Set("low", fmt.Sprint(math.MinInt64+1), time.Hour)
			Equal(t, "Inc down to the lowest integer", t.Inc("low", -1, time.Hour), math.MinInt64)
		}},
	{ID: "CNT-6", Name: "no_update_is_lost",
		Rule:     "20 callers that Inc 50 times each make 1000",
		Why:      "get, then set",
		Features: []Feature{Counter}, traits: private,
		Run: func(t *T) {
			const callers, times = 20, 50
			t.Go(callers, func(int) {
				for range times {
					_, err := t.try.Inc(t.ctx, "k", 1, time.Hour)
					t.Ok("Inc", err)
				}
			})
			t.Hit("after 20 x 50 Inc", "k", "1000")
		}},
	{ID: "CNT-7", Name: "lost_reply",
		Rule:     "an Inc that loses its reply is ErrUnknownOutcome and counts at most once",
		Why:      "a repeated Inc counts twice",
		Features: []Feature{Network, Counter}, traits: once | private,
		Run: lostInc},
}

// beyond records a failure where Inc of n by delta is not an error.
func (t *T) beyond(key string, n, delta int64) {
	t.Set(key, fmt.Sprint(n), time.Hour)
	sum, err := t.try.Inc(t.ctx, key, delta, time.Hour)
	if !errors.Is(err, cache.ErrNotInteger) {
		t.Wrong(fmt.Sprintf("Inc of %d by %d", n, delta), text(fmt.Sprintf("%d, %v", sum, err)), cache.ErrNotInteger)
	}
	t.Hit("after Inc was refused", key, fmt.Sprint(n))
}
