package conformance

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync/atomic"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

const (
	day  = 24 * time.Hour
	year = 365 * day
)

var ttlCases = []Case{
	{ID: "TTL-1", Name: "zero_never_expires",
		Rule:   "ttl 0 never expires",
		Why:    "other interfaces give 0 the opposite meaning",
		traits: waits,
		Run: func(t *T) {
			t.Set("set", "v", 0)
			t.Add("add", "v", 0)
			t.SetMany(map[string]string{"many": "v"}, 0)
			t.pass(t.Brief() + t.harness.Resolution)
			for _, key := range []string{"set", "add", "many"} {
				t.Hit("stored with ttl 0", key, "v")
				t.Life("stored with ttl 0", key, 0)
			}
		}},
	{ID: "TTL-2", Name: "default_when_not_given",
		Rule:     "no timeout given means the default, 300 s",
		Why:      "an entry without an expiry leaks",
		Features: []Feature{TTL}, traits: cacheOnly,
		Run: func(t *T) {
			lives := map[string]time.Duration{}
			key := t.Own("default")
			t.Ok("Set without a timeout", t.cache.Set(t.ctx, key, nil))
			lives[key] = cache.DefaultTimeout
			key = t.Own("added")
			_, err := t.cache.Add(t.ctx, key, nil)
			t.Ok("Add without a timeout", err)
			lives[key] = cache.DefaultTimeout
			key = t.Own("own-default")
			t.Ok("Set with a default of 90 s", t.Cache(cache.WithDefaultTimeout(90*time.Second)).Set(t.ctx, key, nil))
			lives[key] = 90 * time.Second
			for key, want := range lives {
				t.lifeOf(t.cache, key, want)
			}
		}},
	{ID: "TTL-3", Name: "default_zero",
		Rule:     "a default of 0 means never, unless a call says otherwise",
		Why:      "it is what the setting promises",
		Features: []Feature{TTL}, traits: cacheOnly,
		Run: func(t *T) {
			forever := t.Cache(cache.WithDefaultTimeout(0))
			key, other := t.Own("k"), t.Own("other")
			t.Ok("Set", forever.Set(t.ctx, key, nil))
			t.lifeOf(forever, key, 0)
			t.Ok("Set", forever.Set(t.ctx, other, nil, cache.Timeout(time.Hour)))
			t.lifeOf(forever, other, time.Hour)
		}},
	{ID: "TTL-4", Name: "negative_is_refused",
		Rule:   "a negative timeout is ErrInvalidTimeout, stores nothing and leaves an old value intact",
		Why:    "it has meant for ever, a server error, already gone, and stored",
		traits: cacheOnly | null, Run: negativeTimeout},
	{ID: "TTL-5", Name: "never_gone_early",
		Rule:   "an entry is never gone before its ttl is over (20 tries, at any phase of the second)",
		Why:    "cutting to whole seconds lost 19 of 28 entries of one second early",
		traits: waits, Run: neverGoneEarly},
	{ID: "TTL-6", Name: "gone_in_time",
		Rule:   "an entry is gone by ttl + Harness.Resolution",
		Why:    "staleness has a bound",
		traits: waits,
		Run: func(t *T) {
			ttl := t.Brief()
			t.Set("set", "v", ttl)
			t.Add("add", "v", ttl)
			t.SetMany(map[string]string{"many": "v"}, ttl)
			t.pass(ttl + t.harness.Resolution)
			for _, key := range []string{"set", "add", "many"} {
				t.Miss(fmt.Sprintf("%v after a life of %v", t.harness.Resolution, ttl), key)
			}
		}},
	{ID: "TTL-7", Name: "half_a_second_is_not_for_ever",
		Rule:   "500 ms never becomes 0, which is for ever",
		Why:    "whole seconds in an integer field",
		traits: waits,
		Run: func(t *T) {
			t.Set("k", "v", 500*time.Millisecond)
			t.Life("set with 500 ms", "k", 500*time.Millisecond)
			t.pass(500*time.Millisecond + t.harness.Resolution)
			t.Miss("after a life of 500 ms", "k")
		}},
	{ID: "TTL-8", Name: "one_and_a_half_seconds",
		Rule:   "1500 ms is kept, not cut to 1 s",
		Why:    "whole seconds again",
		traits: waits,
		Run: func(t *T) {
			before := t.now()
			t.Set("k", "v", 1500*time.Millisecond)
			t.Life("set with 1500 ms", "k", 1500*time.Millisecond)
			t.pass(1300 * time.Millisecond)
			t.mustLive("k", before, 1500*time.Millisecond)
			t.pass(200*time.Millisecond + t.harness.Resolution)
			t.Miss("after a life of 1500 ms", "k")
		}},
	{ID: "TTL-9", Name: "half_a_millisecond",
		Rule:   "500 microseconds is kept, rounded up where it must be, never dropped",
		Why:    "0 ms is for ever, or an error of the server",
		traits: waits,
		Run: func(t *T) {
			t.Set("k", "v", 500*time.Microsecond)
			t.pass(max(2*time.Millisecond, t.harness.Resolution+time.Millisecond))
			t.Miss("after a life of 500 microseconds", "k")
		}},
	{ID: "TTL-10", Name: "thirty_days",
		Rule: "30 days, and 30 days and a second, are readable at once and keep their life",
		Why:  "memcached reads more than 30 days as a date, long past",
		Run:  longLives(30*day, 30*day+time.Second)},
	{ID: "TTL-11", Name: "past_2038",
		Rule: "an end past 2038-01-19 (20 years away) is readable",
		Why:  "seconds in 31 bits",
		Run:  readable(12*year, 20*year)},
	{ID: "TTL-12", Name: "past_2106",
		Rule: "an end past 2106 (90 years away) is readable",
		Why:  "seconds in 32 bits",
		Run:  readable(80*year, 90*year)},
	{ID: "TTL-13", Name: "longest_duration",
		Rule: "the longest time.Duration (292 years) works or is ErrInvalidTimeout, and never wraps",
		Why:  "a sum that wraps is an end in the past",
		Run: func(t *T) {
			for _, ttl := range []time.Duration{math.MaxInt64, math.MaxInt64 - 1, 290 * year} {
				t.longest(ttl)
			}
		}},
	{ID: "TTL-14", Name: "deadline_before_the_call",
		Rule:     "a slow write does not lengthen the life of an entry, unless the server counts it from when it executes the write (Harness.LateLife)",
		Why:      "an entry would outlive what the caller asked for",
		Features: []Feature{Network, TTL}, traits: once | private, Run: slowWriteKeepsDeadline},
	{ID: "TTL-15", Name: "inc_keeps_expiry",
		Rule:     "Inc does not change the expiry of a key; Inc of an absent key uses the ttl it is given",
		Why:      "one library resets it to 300 s, another never sets one",
		Features: []Feature{Counter}, traits: waits,
		Run: func(t *T) {
			ttl := t.Brief()
			t.Within(ttl, func() {
				t.Set("brief", "1", ttl)
				t.incAgain("brief", time.Hour)
			})
			t.Set("forever", "1", 0)
			t.incAgain("forever", ttl)
			t.Life("set with 0, then Inc with a ttl", "forever", 0)
			t.Set("long", "1", time.Hour)
			t.incAgain("long", ttl)
			t.Life("set with 1h, then Inc with a ttl", "long", time.Hour)
			t.Inc("new", 1, ttl)
			t.Inc("new-forever", 1, 0)
			t.Life("made by Inc with ttl 0", "new-forever", 0)
			t.pass(ttl + t.harness.Resolution)
			t.Miss("set with a brief life, then Inc with 1h, then that life over", "brief")
			t.Miss("made by Inc with a brief life that is over", "new")
			t.Hit("set with 0, then Inc with a brief ttl that is over", "forever", "2")
			t.Hit("set with 1h, then Inc with a brief ttl that is over", "long", "2")
		}},
	{ID: "TTL-16", Name: "add_is_one_step_with_its_ttl",
		Rule:     "Add stores value and expiry in one atomic step",
		Why:      "a crash between two steps leaves a lock for ever",
		Features: []Feature{TTL}, traits: once,
		Run: addWithTTL},
	{ID: "TTL-18", Name: "get_many_checks_each",
		Rule:   "GetMany tells live, expired and absent keys apart",
		Why:    "the batch path has a check of its own, or none",
		traits: waits,
		Run: func(t *T) {
			t.Set("live", "1", time.Hour)
			t.Set("forever", "2", 0)
			t.Expired("expired", "gone")
			values := t.GetMany("expired", "live", "absent", "gone", "forever")
			for i, want := range []string{"", "1", "", "", "2"} {
				Equal(t, fmt.Sprintf("GetMany(expired, live, absent, gone, forever), place %d", i), string(values[i]), want)
				Equal(t, fmt.Sprintf("a hit at place %d", i), values[i] != nil, want != "")
			}
		}},
}

// incAgain is Inc of a key whose life began with an earlier Set.
func (t *T) incAgain(key string, ttl time.Duration) {
	_, err := t.try.Inc(t.ctx, key, 1, ttl)
	t.Ok("Inc("+show(key)+")", err)
}

// lifeOf is Life for a key that was stored a moment ago through c.
func (t *T) lifeOf(c *cache.Cache, key string, ttl time.Duration) {
	left, ok, err := c.TTL(t.ctx, key)
	t.Ok("TTL", err)
	const moment = 10 * time.Second
	if !ok || (left == 0) != (ttl == 0) || left > ttl+t.harness.Resolution || left < ttl-moment {
		t.Wrong("TTL("+show(key)+"), found "+show(ok), left, ttl)
	}
}

func negativeTimeout(t *T) {
	key, fresh := t.Own("k"), t.Own("fresh")
	t.Ok("Set", t.cache.Set(t.ctx, key, []byte("1")))
	c, negative := t.cache, cache.Timeout(-time.Second)
	for _, k := range []string{key, fresh} {
		t.ErrorIs("Set with a negative timeout", c.Set(t.ctx, k, []byte("2"), negative), cache.ErrInvalidTimeout)
		_, err := c.Add(t.ctx, k, []byte("2"), negative)
		t.ErrorIs("Add with a negative timeout", err, cache.ErrInvalidTimeout)
		t.ErrorIs("SetMany with a negative timeout",
			c.SetMany(t.ctx, map[string][]byte{k: []byte("2")}, negative), cache.ErrInvalidTimeout)
		_, err = c.Inc(t.ctx, k, 1, negative)
		t.ErrorIs("Inc with a negative timeout", err, cache.ErrInvalidTimeout)
		t.ErrorIs("Set with a negative default",
			t.Cache(cache.WithDefaultTimeout(-1)).Set(t.ctx, k, []byte("2")), cache.ErrInvalidTimeout)
	}
	if t.Can(Storage) {
		t.holds(key, "1")
		t.holds(fresh, "")
	}
}

// mustLive records a failure where key is a miss although its life, which began
// after before, cannot be over.
func (t *T) mustLive(key string, before time.Time, ttl time.Duration) {
	_, ok := t.Get(key)
	if age := t.now().Sub(before); !ok && age < ttl {
		t.Wrong(fmt.Sprintf("Get(%s) at most %v after Set with ttl %v", show(key), age, ttl), text("a miss"), text("a hit"))
	}
}

func neverGoneEarly(t *T) {
	const tries = 20
	ttl, last := time.Second, 20*time.Millisecond
	try := func(i int, pass func(time.Duration)) {
		key := fmt.Sprintf("k%d", i)
		before := t.now()
		t.Set(key, "v", ttl)
		for left := ttl - last; left > 0; left -= 196 * time.Millisecond {
			pass(min(left, 196*time.Millisecond))
			t.mustLive(key, before, ttl)
		}
	}
	phases := make([]time.Duration, tries)
	for i := range phases {
		phases[i] = time.Duration(t.rand.Int64N(int64(time.Second)))
	}
	if t.harness.Advance != nil && !t.harness.Bubble {
		for i, phase := range phases {
			t.pass(phase)
			try(i, t.pass)
		}
		return
	}
	t.Go(tries, func(i int) {
		time.Sleep(phases[i])
		try(i, time.Sleep)
	})
}

func longLives(lives ...time.Duration) func(*T) {
	return func(t *T) {
		readable(lives...)(t)
		for _, ttl := range lives {
			t.Life(fmt.Sprintf("set with %v", ttl), ttl.String(), ttl)
		}
	}
}

// readable stores an entry with each life and looks whether it is there. The
// store may cut such a life, but not to nothing.
func readable(lives ...time.Duration) func(*T) {
	return func(t *T) {
		for _, ttl := range lives {
			key := ttl.String()
			t.Set(key, "v", ttl)
			t.Hit(fmt.Sprintf("right after Set with %v", ttl), key, "v")
			t.farAway(key, ttl)
		}
	}
}

func (t *T) farAway(key string, ttl time.Duration) {
	if !t.Can(TTL) {
		return
	}
	left, ok, err := t.try.TTL(t.ctx, key)
	t.Ok("TTL", err)
	if !ok || left < 0 || left != 0 && left < min(ttl, 10*year)-day {
		t.Wrong(fmt.Sprintf("TTL right after Set with %v, found %v", ttl, ok), left, text("about as long, or as long as the store can"))
	}
}

func (t *T) longest(ttl time.Duration) {
	key := ttl.String()
	err := t.try.Set(t.ctx, key, []byte("v"), ttl)
	if errors.Is(err, cache.ErrInvalidTimeout) {
		t.Miss("after Set was refused with ErrInvalidTimeout", key)
		return
	}
	t.Ok(fmt.Sprintf("Set with %v", ttl), err)
	t.Hit(fmt.Sprintf("right after Set with %v", ttl), key, "v")
	t.farAway(key, ttl)
	Equal(t, fmt.Sprintf("Add with %v of an absent key", ttl), t.Add("add"+key, "v", ttl), true)
	t.Hit(fmt.Sprintf("right after Add with %v", ttl), "add"+key, "v")
	t.SetMany(map[string]string{"many" + key: "v"}, ttl)
	t.Hit(fmt.Sprintf("right after SetMany with %v", ttl), "many"+key, "v")
}

// addWithTTL watches for a key that is there without an expiry.
func addWithTTL(t *T) {
	for i := range 200 {
		key := fmt.Sprintf("k%d", i)
		var added atomic.Bool
		t.Go(2, func(worker int) {
			if worker == 0 {
				defer added.Store(true)
				t.Add(key, "v", time.Hour)
				return
			}
			for ; !added.Load(); runtime.Gosched() {
				left, ok, err := t.try.TTL(t.ctx, key)
				t.Ok("TTL", err)
				if ok && left == 0 {
					t.Stop("TTL of a key while Add stores it with 1h", text("it never expires"), text("absent, or about 1h"))
				}
			}
		})
		t.Life("after Add with 1h", key, time.Hour)
	}
}
