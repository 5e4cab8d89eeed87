package conformance

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/cachebackends/cachebackends/conformance/proxy"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

const (
	day  = 24 * time.Hour
	year = 365 * day
)

var ttlCases = []Case{
	{ID: "TTL-1", Name: "zero_never_expires",
		Rule:  "an entry with ttl 0 never expires",
		Why:   "Other interfaces use 0 for the opposite, and the entry would expire at once.",
		flags: needsTime,
		run: func(t *attempt) {
			t.set("set", "v", 0)
			t.add("add", "v", 0)
			t.setMany(map[string]string{"many": "v"}, 0)
			t.pass(t.shortTTL() + t.resolution())
			for _, key := range []string{"set", "add", "many"} {
				t.hit("stored with ttl 0", key, "v")
				t.hasTTL("stored with ttl 0", key, 0)
			}
		}},
	{ID: "TTL-2", Name: "default_when_not_given",
		Rule:     "without a timeout an entry has the default TTL, 300 s",
		Why:      "Entries without an expiry accumulate until the store is full.",
		Features: []Feature{TTL}, flags: cacheOnly,
		run: func(t *attempt) {
			set, added, own := t.cacheKey("set"), t.cacheKey("added"), t.cacheKey("own-default")
			t.must("Set without a timeout", t.cache.Set(t.ctx, set, nil))
			_, err := t.cache.Add(t.ctx, added, nil)
			t.must("Add without a timeout", err)
			t.must("Set with a default of 90 s", t.newCache(cache.WithDefaultTimeout(90*time.Second)).Set(t.ctx, own, nil))
			t.cacheHasTTL(t.cache, set, cache.DefaultTimeout)
			t.cacheHasTTL(t.cache, added, cache.DefaultTimeout)
			t.cacheHasTTL(t.cache, own, 90*time.Second)
		}},
	{ID: "TTL-3", Name: "default_zero",
		Rule:     "with a default of 0 an entry never expires, unless the call has a timeout",
		Why:      "The setting promises it, and an entry that expires anyway is lost without an error.",
		Features: []Feature{TTL}, flags: cacheOnly,
		run: func(t *attempt) {
			forever := t.newCache(cache.WithDefaultTimeout(0))
			key, other := t.cacheKey("k"), t.cacheKey("other")
			t.must("Set", forever.Set(t.ctx, key, nil))
			t.cacheHasTTL(forever, key, 0)
			t.must("Set", forever.Set(t.ctx, other, nil, cache.Timeout(time.Hour)))
			t.cacheHasTTL(forever, other, time.Hour)
		}},
	{ID: "TTL-4", Name: "negative_is_refused",
		Rule:  "a negative timeout is ErrInvalidTimeout, stores nothing and keeps the old value",
		Why:   "Libraries disagree whether a negative timeout means never, expired or an error, so a wrong subtraction goes unnoticed.",
		flags: cacheOnly | alsoNull, run: negativeTimeout},
	{ID: "TTL-5", Name: "never_gone_early",
		Rule:  "an entry does not expire before its TTL (20 tries at random phases of the second)",
		Why:   "A store that truncates the expiry to whole seconds expires most entries with a TTL of one second too early.",
		flags: needsTime, run: neverExpiresEarly},
	{ID: "TTL-6", Name: "gone_in_time",
		Rule:  "an entry is a miss at ttl + Limits.Resolution",
		Why:   "Without a bound on staleness, a program cannot know how old the data it reads may be.",
		flags: needsTime | alsoShort,
		run: func(t *attempt) {
			ttl := t.shortTTL()
			list := []string{"set", "add", "many", "inc"}
			t.set("set", "1", ttl)
			t.add("add", "1", ttl)
			t.setMany(map[string]string{"many": "1"}, ttl)
			if t.supports(Counter) {
				t.inc("inc", 1, ttl)
			}
			t.pass(ttl + t.resolution())
			for i, value := range t.getMany(list...) {
				if value != nil {
					t.wrong(fmt.Sprintf("%v after a TTL of %v: GetMany at the position of %s", t.resolution(), ttl, list[i]), value, text("a miss"))
				}
			}
			for _, key := range list {
				t.miss(fmt.Sprintf("%v after a TTL of %v", t.resolution(), ttl), key)
			}
		}},
	{ID: "TTL-7", Name: "half_a_second_is_not_for_ever",
		Rule:  "a TTL of 500 ms is never rounded to 0, which means never",
		Why:   "A client that sends whole seconds turns a short TTL into an entry that never expires.",
		flags: needsTime,
		run: func(t *attempt) {
			t.set("k", "v", 500*time.Millisecond)
			t.hasTTL("set with 500 ms", "k", 500*time.Millisecond)
			t.pass(500*time.Millisecond + t.resolution())
			t.miss("after a TTL of 500 ms", "k")
		}},
	{ID: "TTL-8", Name: "one_and_a_half_seconds",
		Rule:  "a TTL of 1500 ms is not truncated to 1 s",
		Why:   "A client that sends whole seconds lets the entry expire a third too early.",
		flags: needsTime,
		run: func(t *attempt) {
			before := t.now()
			t.set("k", "v", 1500*time.Millisecond)
			t.hasTTL("set with 1500 ms", "k", 1500*time.Millisecond)
			t.pass(1300 * time.Millisecond)
			t.notExpiredEarly("k", before, 1500*time.Millisecond)
			t.pass(200*time.Millisecond + t.resolution())
			t.miss("after a TTL of 1500 ms", "k")
		}},
	{ID: "TTL-9", Name: "half_a_millisecond",
		Rule:  "a TTL of 500 microseconds is kept or rounded up, never dropped",
		Why:   "Rounded down it becomes 0, which means never on some servers and is an error on others.",
		flags: needsTime,
		run: func(t *attempt) {
			t.set("k", "v", 500*time.Microsecond)
			t.pass(max(2*time.Millisecond, t.resolution()+time.Millisecond))
			t.miss("after a TTL of 500 microseconds", "k")
		}},
	{ID: "TTL-10", Name: "thirty_days",
		Rule: "entries with a TTL of 30 days, and of 30 days and a second, are readable and have that TTL",
		Why:  "memcached takes more than 30 days for a date in 1970, and the entry is never readable.",
		run: func(t *attempt) {
			for _, ttl := range []time.Duration{30 * day, 30*day + time.Second} {
				t.isReadable(ttl)
				t.hasTTL(fmt.Sprintf("set with %v", ttl), ttl.String(), ttl)
			}
		}},
	{ID: "TTL-11", Name: "past_2038",
		Rule: "an entry that expires after 2038-01-19 (in 20 years) is readable",
		Why:  "A date in 31 bits of seconds wraps in 2038, and the entry is expired as soon as it is stored.",
		run: func(t *attempt) {
			t.isReadable(12 * year)
			t.isReadable(20 * year)
		}},
	{ID: "TTL-12", Name: "past_2106",
		Rule: "an entry that expires after 2106 (in 90 years) is readable",
		Why:  "A date in 32 bits of seconds wraps in 2106, and the entry is expired as soon as it is stored.",
		run: func(t *attempt) {
			t.isReadable(80 * year)
			t.isReadable(90 * year)
		}},
	{ID: "TTL-13", Name: "longest_duration",
		Rule: "the longest time.Duration (292 years) works or is ErrInvalidTimeout, and never wraps",
		Why:  "If now + ttl overflows, the entry expires in the past and is never readable.",
		run: func(t *attempt) {
			for _, ttl := range []time.Duration{math.MaxInt64, math.MaxInt64 - 1, 290 * year} {
				t.longestTTL(ttl)
			}
		}},
	{ID: "TTL-14", Name: "deadline_before_the_call",
		Rule:     "a slow write does not make an entry expire later, unless Harness.Traits has ServerStartsTTL",
		Why:      "If the TTL begins when the write arrives, data is served for longer than the caller asked for.",
		Features: []Feature{Network, TTL}, flags: oneModeOnly | needsOwnStore, run: slowWriteKeepsExpiry},
	{ID: "TTL-15", Name: "inc_keeps_expiry",
		Rule:     "Inc keeps the TTL of a present key; Inc of an absent key uses the given TTL",
		Why:      "If Inc resets the TTL, a rate limiter never reopens; if it sets none, its keys never expire.",
		Features: []Feature{Counter}, flags: needsTime, run: incKeepsExpiry},
	{ID: "TTL-16", Name: "add_is_one_step_with_its_ttl",
		Rule:     "Add stores value and TTL in one atomic step",
		Why:      "A crash between two steps leaves a lock without an expiry, which no caller can take again.",
		Features: []Feature{TTL}, flags: oneModeOnly,
		run: addWithTTL},
	{ID: "TTL-18", Name: "get_many_checks_each",
		Rule:  "GetMany returns the live entries and misses for expired and absent keys",
		Why:   "The batch path often has its own expiry check, or none, and then returns stale data.",
		flags: needsTime,
		run: func(t *attempt) {
			t.set("live", "1", time.Hour)
			t.set("forever", "2", 0)
			t.setExpired("expired", "expired2")
			values := t.getMany("expired", "live", "absent", "expired2", "forever")
			for i, want := range []string{"", "1", "", "", "2"} {
				equal(t, fmt.Sprintf("GetMany(expired, live, absent, expired2, forever) at position %d", i), string(values[i]), want)
				equal(t, fmt.Sprintf("a hit at position %d", i), values[i] != nil, want != "")
			}
		}},
}

func negativeTimeout(t *attempt) {
	key, fresh := t.cacheKey("k"), t.cacheKey("fresh")
	t.must("Set", t.cache.Set(t.ctx, key, []byte("1")))
	c, negative := t.cache, cache.Timeout(-time.Second)
	for _, k := range []string{key, fresh} {
		t.errorIs("Set with a negative timeout", c.Set(t.ctx, k, []byte("2"), negative), driver.ErrInvalidTimeout)
		_, err := c.Add(t.ctx, k, []byte("2"), negative)
		t.errorIs("Add with a negative timeout", err, driver.ErrInvalidTimeout)
		t.errorIs("SetMany with a negative timeout",
			c.SetMany(t.ctx, map[string][]byte{k: []byte("2")}, negative), driver.ErrInvalidTimeout)
		_, err = c.Inc(t.ctx, k, 1, negative)
		t.errorIs("Inc with a negative timeout", err, driver.ErrInvalidTimeout)
		t.errorIs("Set with a negative default",
			t.newCache(cache.WithDefaultTimeout(-1)).Set(t.ctx, k, []byte("2")), driver.ErrInvalidTimeout)
	}
	if t.supports(Storage) {
		t.cacheHolds(key, "1")
		t.cacheHolds(fresh, "")
	}
}

func neverExpiresEarly(t *attempt) {
	const tries = 20
	ttl, last := time.Second, 20*time.Millisecond
	try := func(i int, pass func(time.Duration)) {
		key := fmt.Sprintf("k%d", i)
		before := t.now()
		t.set(key, "v", ttl)
		for left := ttl - last; left > 0; left -= 196 * time.Millisecond {
			pass(min(left, 196*time.Millisecond))
			t.notExpiredEarly(key, before, ttl)
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
	t.concurrently(tries, func(i int) {
		time.Sleep(phases[i])
		try(i, time.Sleep)
	})
}

// isReadable stores an entry with ttl and reads it. The store may shorten such a
// TTL, but not to nothing.
func (t *attempt) isReadable(ttl time.Duration) {
	key := ttl.String()
	t.set(key, "v", ttl)
	t.hit(fmt.Sprintf("right after Set with %v", ttl), key, "v")
	t.hasLongTTL(key, ttl)
}

func (t *attempt) longestTTL(ttl time.Duration) {
	key := ttl.String()
	err := t.handle.Set(t.ctx, key, []byte("v"), ttl)
	if errors.Is(err, driver.ErrInvalidTimeout) {
		t.miss("after Set returned ErrInvalidTimeout", key)
		return
	}
	t.must(fmt.Sprintf("Set with %v", ttl), err)
	t.hit(fmt.Sprintf("right after Set with %v", ttl), key, "v")
	t.hasLongTTL(key, ttl)
	equal(t, fmt.Sprintf("Add with %v of an absent key", ttl), t.add("add"+key, "v", ttl), true)
	t.hit(fmt.Sprintf("right after Add with %v", ttl), "add"+key, "v")
	t.setMany(map[string]string{"many" + key: "v"}, ttl)
	t.hit(fmt.Sprintf("right after SetMany with %v", ttl), "many"+key, "v")
}

func slowWriteKeepsExpiry(t *attempt) {
	const ttl = 20 * time.Second
	w := t.openProxied()
	w.Delay = 500 * time.Millisecond
	most := ttl - w.Delay + t.resolution()
	var left time.Duration
	for range 3 { // a pause of the machine would hide a TTL that begins late
		w.inject(proxy.Latency)
		w.succeeds("Set over a slow connection", func() error { return w.handle.Set(t.ctx, "slow", []byte("v"), ttl) })
		w.inject(proxy.Pass)
		var ok bool
		w.succeeds("TTL", func() (err error) {
			left, ok, err = w.handle.TTL(t.ctx, "slow")
			return err
		})
		equal(t, "ok of TTL after a slow Set", ok, true)
		if left > most {
			break
		}
	}
	what := fmt.Sprintf("TTL after a Set with %v whose request took %v", ttl, w.Delay)
	switch reason, declared := t.harness.Traits[ServerStartsTTL]; {
	case declared && left > most:
		t.notApplicable(reason)
	case declared:
		t.wrong(what+", with the trait ServerStartsTTL", left, text("more than "+most.String()+": remove the trait from the harness"))
	case left > most:
		t.wrong(what, left, text("at most "+most.String()))
	}
}

func incKeepsExpiry(t *attempt) {
	inc := func(key string, ttl time.Duration) { // not a step: the TTL began with an earlier Set
		for _, delta := range []int64{0, 2, -1} {
			_, err := t.handle.Inc(t.ctx, key, delta, ttl)
			t.must(fmt.Sprintf("Inc(%s, %d)", show(key), delta), err)
		}
	}
	ttl := t.withinTTL(func(ttl time.Duration) {
		t.set("brief", "1", ttl)
		inc("brief", time.Hour)
	})
	t.set("forever", "1", 0)
	inc("forever", ttl)
	t.hasTTL("set with 0, then Inc with a short ttl", "forever", 0)
	t.set("long", "1", time.Hour)
	inc("long", ttl)
	t.hasTTL("set with 1h, then Inc with a short ttl", "long", time.Hour)
	t.inc("new", 1, ttl)
	t.inc("new-forever", 1, 0)
	t.hasTTL("created by Inc with ttl 0", "new-forever", 0)
	t.pass(ttl + t.resolution())
	t.miss("set with a short ttl, then Inc with 1h, after the short ttl", "brief")
	t.miss("created by Inc with a short ttl, after it", "new")
	t.hit("set with 0, then Inc with a short ttl, after it", "forever", "2")
	t.hit("set with 1h, then Inc with a short ttl, after it", "long", "2")
}

// addWithTTL watches for an entry that is present without an expiry.
func addWithTTL(t *attempt) {
	for i := range 200 {
		key := fmt.Sprintf("k%d", i)
		var added atomic.Bool
		t.concurrently(2, func(worker int) {
			if worker == 0 {
				defer added.Store(true)
				t.add(key, "v", time.Hour)
				return
			}
			for ; !added.Load(); runtime.Gosched() {
				left, ok, err := t.handle.TTL(t.ctx, key)
				t.must("TTL", err)
				if ok && left == 0 {
					t.stop("TTL of a key while Add stores it with 1h", text("0 (never expires)"), text("absent, or about 1h"))
				}
			}
		})
		t.hasTTL("after Add with 1h", key, time.Hour)
	}
}
