package conformance

import (
	"fmt"
	"strings"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// birth is a way to store "7".
type birth struct {
	name  string
	needs Feature
	store func(t *attempt, keys []string, ttl time.Duration)
}

var births = []birth{
	{"Set", "", func(t *attempt, keys []string, ttl time.Duration) {
		for _, key := range keys {
			t.set(key, "7", ttl)
		}
	}},
	{"Add", "", func(t *attempt, keys []string, ttl time.Duration) {
		for _, key := range keys {
			equal(t, "Add of the absent key "+show(key), t.add(key, "7", ttl), true)
		}
	}},
	{"SetMany", "", func(t *attempt, keys []string, ttl time.Duration) { t.setMany(sameItems(keys, "7"), ttl) }},
	{"Inc", Counter, func(t *attempt, keys []string, ttl time.Duration) {
		for _, key := range keys {
			equal(t, "Inc of the absent key "+show(key), t.inc(key, 7, ttl), 7)
		}
	}},
	{"Fill", Lease, func(t *attempt, keys []string, ttl time.Duration) {
		for _, key := range keys {
			token := t.lease("absent key", key, driver.MaxHold)
			equal(t, "Fill of the leased key "+show(key), t.fillLease(key, token, "7", ttl), true)
		}
	}},
}

// history is what happens to an entry before the short TTL of some entries passes.
type history struct {
	name  string
	needs Feature
	brief bool // the entry is stored with the short TTL instead of 1h
	live  bool // it is present in the end, with a TTL of 1h
	apply func(t *attempt, keys []string, ttl time.Duration)
}

var histories = []history{
	{name: "stored", live: true},
	{name: "expired", brief: true},
	{name: "deleted", apply: func(t *attempt, keys []string, _ time.Duration) {
		for _, key := range keys {
			equal(t, "Delete of the present key "+show(key), t.delete(key), true)
		}
	}},
	{name: "deleted-many", apply: func(t *attempt, keys []string, _ time.Duration) {
		equal(t, "the number of keys that DeleteMany returns", len(t.deleteMany(keys...)), len(keys))
	}},
	{name: "prolonged", brief: true, live: true, apply: func(t *attempt, keys []string, _ time.Duration) {
		births[0].store(t, keys, time.Hour)
	}},
	{name: "prolonged-many", brief: true, live: true, apply: func(t *attempt, keys []string, _ time.Duration) {
		t.setMany(sameItems(keys, "7"), time.Hour)
	}},
	{name: "shortened", apply: func(t *attempt, keys []string, ttl time.Duration) {
		births[0].store(t, keys, ttl)
	}},
	{name: "shortened-many", apply: func(t *attempt, keys []string, ttl time.Duration) {
		t.setMany(sameItems(keys, "7"), ttl)
	}},
	{name: "swapped", needs: Swap, live: true, apply: func(t *attempt, keys []string, _ time.Duration) {
		for _, key := range keys {
			equal(t, "CompareAndSwap of the present key "+show(key), t.swap(key, "7", "7", time.Hour), true)
		}
	}},
	{name: "counted", needs: Counter, live: true, apply: countUpAndDown},
	{name: "counted-expired", needs: Counter, brief: true, apply: countUpAndDown},
	{name: "read-expired", brief: true, apply: func(t *attempt, keys []string, ttl time.Duration) {
		for _, key := range keys {
			t.get(key)
			t.has(key)
			t.add(key, "new", ttl)
			if t.supports(TTL) {
				_, _, err := t.handle.TTL(t.ctx, key)
				t.must("TTL("+show(key)+")", err)
			}
		}
		t.getMany(keys...)
	}},
}

// countUpAndDown leaves value and TTL as they were.
func countUpAndDown(t *attempt, keys []string, ttl time.Duration) {
	for _, key := range keys {
		for _, delta := range []int64{1, -1} {
			_, err := t.handle.Inc(t.ctx, key, delta, ttl)
			t.must("Inc("+show(key)+")", err)
		}
	}
}

// event happens to all entries after the short TTL has passed.
type event struct {
	name        string
	clears      bool
	unavailable func(t *attempt) bool
	happen      func(t *attempt)
}

var events = []event{
	{"", false, nil, func(*attempt) {}},
	{"cleared", true, cannotClear, (*attempt).clear},
	{"cleared-by-prefix", true, cannotClearPrefix, func(t *attempt) {
		t.must("Clear with a prefix", t.handle.ClearPrefix(t.ctx, "cleared-by-prefix"))
	}},
	{"cleared-by-another-handle", true, func(t *attempt) bool { return !t.canShare() || cannotClear(t) }, func(t *attempt) {
		t.must("Clear by another handle", t.reopened().Clear(t.ctx))
	}},
	{"seen-by-another-handle", false, func(t *attempt) bool { return !t.canShare() }, func(t *attempt) { t.handle = t.reopened() }},
	{"reopened", false, cannotReopen, func(t *attempt) {
		t.reopen()
	}},
}

func cannotClear(t *attempt) bool {
	_, unavailable := t.clearUnavailable()
	return unavailable
}

func cannotClearPrefix(t *attempt) bool { return !t.supports(PrefixClear) }
func cannotReopen(t *attempt) bool      { return !t.canReopen() }

// observer checks keys, all of which have the same past: two for a batch, else one.
type observer struct {
	name    string
	needs   Feature
	observe func(t *attempt, past string, keys []string, live bool)
}

var observers = []observer{
	{"Get", "", eachKey(func(t *attempt, past, key string, live bool) {
		if live {
			t.hit(past, key, "7")
		} else {
			t.miss(past, key)
		}
	})},
	{"Has", "", eachKey(func(t *attempt, past, key string, live bool) {
		equal(t, past+": Has("+show(key)+")", t.has(key), live)
	})},
	{"TTL", TTL, eachKey(func(t *attempt, past, key string, live bool) {
		if live {
			t.hasTTL(past, key, time.Hour)
			return
		}
		left, ok, err := t.handle.TTL(t.ctx, key)
		t.must("TTL", err)
		if ok {
			t.wrong(past+": TTL("+show(key)+")", left, text("absent"))
		}
	})},
	{"Add", "", eachKey(func(t *attempt, past, key string, live bool) {
		if !live {
			t.noteWrite(key)
		}
		added, err := t.handle.Add(t.ctx, key, []byte("new"), time.Hour)
		t.must("Add("+show(key)+")", err)
		equal(t, past+": Add("+show(key)+")", added, !live)
		t.hit(past+", then Add", key, map[bool]string{true: "7", false: "new"}[live])
		t.hasTTL(past+", then Add with 1h", key, time.Hour)
	})},
	{"Inc", Counter, eachKey(func(t *attempt, past, key string, live bool) {
		sum, err := t.handle.Inc(t.ctx, key, 1, time.Hour)
		t.must("Inc("+show(key)+")", err)
		equal(t, past+": Inc("+show(key)+") by 1", sum, map[bool]int64{true: 8, false: 1}[live])
	})},
	{"Set", "", eachKey(func(t *attempt, past, key string, _ bool) {
		t.set(key, "new", 0)
		t.hit(past+", then Set", key, "new")
		t.hasTTL(past+", then Set with ttl 0", key, 0)
	})},
	{"Delete", "", eachKey(func(t *attempt, past, key string, live bool) {
		equal(t, past+": Delete("+show(key)+")", t.delete(key), live)
		t.miss(past+", then Delete", key)
	})},
	{"GetAppend", "", eachKey(func(t *attempt, past, key string, live bool) {
		got, ok, err := t.handle.GetAppend(t.ctx, key, []byte(appendedTo))
		t.must("GetAppend("+show(key)+")", err)
		want := appendedTo + map[bool]string{true: "7", false: ""}[live]
		if ok != live || string(got) != want {
			t.wrong(fmt.Sprintf("%s: GetAppend(%s), ok=%v", past, show(key), ok), got, want)
		}
	})},
	{"GetManyWithTTL", GetWithTTL, func(t *attempt, past string, keys []string, live bool) {
		for i, key := range keys {
			values, ttls := t.getManyWithTTL(key)
			value, ttl, ok := t.getWithTTL(key)
			switch {
			case ok != live || (values[0] != nil) != live:
				t.wrong(past+": GetWithTTL("+show(key)+") and GetManyWithTTL, a hit", text(fmt.Sprintf("%v and %v", ok, values[0] != nil)), live)
			case live:
				equal(t, past+": the values of GetWithTTL and GetManyWithTTL", value+string(values[0]), "77")
				t.isLeftOf(past+": GetWithTTL("+show(key)+")", key, ttl, time.Hour)
				t.isLeftOf(fmt.Sprintf("%s: GetManyWithTTL at position %d", past, i), key, ttls[0], time.Hour)
			}
		}
	}},
	{"Lease", Lease, eachKey(func(t *attempt, past, key string, live bool) {
		if live {
			t.leaseHits(past, key, "7")
		} else {
			t.fills(past, key, t.lease(past, key, driver.MaxHold), "new")
		}
	})},
	{"CompareAndSwap", Swap, eachKey(func(t *attempt, past, key string, live bool) {
		equal(t, past+": CompareAndSwap("+show(key)+")", t.swap(key, "7", "8", time.Hour), live)
	})},
	{"GetMany", "", func(t *attempt, past string, keys []string, live bool) {
		for i, value := range t.getMany(keys...) {
			if want := map[bool]string{true: "7", false: ""}[live]; string(value) != want || (value != nil) != live {
				t.wrong(past+": GetMany at the position of "+show(keys[i]), value, want)
			}
		}
	}},
	{"DeleteMany", "", func(t *attempt, past string, keys []string, live bool) {
		var want []string
		if live {
			want = keys
		}
		equal(t, past+fmt.Sprintf(": DeleteMany(%q)", keys), fmt.Sprint(t.deleteMany(keys...)), fmt.Sprint(want))
	}},
}

func eachKey(observe func(t *attempt, past, key string, live bool)) func(*attempt, string, []string, bool) {
	return func(t *attempt, past string, keys []string, live bool) {
		for _, key := range keys {
			observe(t, past, key, live)
		}
	}
}

// birthsAndHistories gives every observer a key of its own for each birth, history and
// event.
func birthsAndHistories(t *attempt) {
	for _, event := range events {
		if event.unavailable == nil || !event.unavailable(t) {
			t.observeAfter(event)
		}
	}
}

func (t *attempt) observeAfter(e event) {
	ttl := t.shortTTL()
	lives, wait := histories, ttl+t.resolution()
	if e.name != "" {
		lives = histories[:2] // the event is the history
		if !t.timeIsFree() && wait > 200*time.Millisecond {
			lives, wait = histories[:1], 0 // one wait is enough
		}
	}
	var observe []func()
	for _, h := range lives {
		for _, b := range births {
			if !t.supports(h.needs) || !t.supports(b.needs) {
				continue
			}
			past := strings.TrimPrefix(fmt.Sprintf("%s-%s-by-%s", e.name, h.name, b.name), "-")
			var all []string
			for _, o := range observers {
				if !t.supports(o.needs) {
					continue
				}
				n := 1
				if strings.Contains(o.name, "Many") {
					n = 2
				}
				list := keys(past+"-"+o.name, n)
				all = append(all, list...)
				observe = append(observe, func() { o.observe(t, past, list, h.live && !e.clears) })
			}
			b.store(t, all, map[bool]time.Duration{true: ttl, false: time.Hour}[h.brief])
			if h.apply != nil {
				h.apply(t, all, ttl)
			}
		}
	}
	t.pass(wait)
	e.happen(t)
	for _, check := range observe {
		check()
	}
}
