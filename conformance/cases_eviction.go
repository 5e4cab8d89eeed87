package conformance

import (
	"fmt"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// most is the threshold of the stores in these cases.
const most = 100

var evictionCases = []Case{
	{ID: "EVI-1", Name: "size_stays_within_threshold",
		Rule:     "a bounded store holds at most threshold + 1 entries",
		Why:      "memory and disks have an end",
		Features: []Feature{Threshold}, traits: once,
		Run: func(t *T) {
			b := t.limited()
			list := keys("k", 5*most)
			for _, key := range list {
				t.put(b, key, time.Hour)
			}
			if n := t.count(b, list); n > most+1 {
				t.Wrong(fmt.Sprintf("entries after Set of %d keys in a store of %d", len(list), most), n, text("at most 101"))
			}
		}},
	{ID: "EVI-2", Name: "never_expiring_are_not_first",
		Rule:     "entries that never expire are not evicted first",
		Why:      "sorted by expiry, their 0 comes first: gone at once in two libraries",
		Features: []Feature{Threshold}, traits: once,
		Run: func(t *T) {
			b := t.limited()
			forever, mortal := keys("forever", most/2), keys("mortal", most/2)
			for i := range forever {
				t.put(b, mortal[i], time.Hour)
				t.put(b, forever[i], 0)
			}
			for _, key := range keys("more", most/4) {
				t.put(b, key, time.Hour)
			}
			endless, ending := t.count(b, forever), t.count(b, mortal)
			if endless < len(forever) && ending == len(mortal) {
				t.Wrong(fmt.Sprintf("entries evicted of 50 that never expire, while %d of 50 others are", len(mortal)-ending),
					len(forever)-endless, text("a share of all"))
			}
		}},
	{ID: "EVI-3", Name: "expired_go_first",
		Rule:     "expired entries go before live ones",
		Why:      "live entries make room for dead ones",
		Features: []Feature{Threshold}, traits: once | waits,
		Run: func(t *T) {
			b := t.limited()
			live, dead, ttl := keys("live", most/2), keys("dead", most/2), t.Brief()
			for i := range live {
				t.put(b, live[i], time.Hour)
				t.put(b, dead[i], ttl)
			}
			t.pass(ttl + t.harness.Resolution)
			more := keys("more", most/4)
			for _, key := range more {
				t.put(b, key, time.Hour)
			}
			Equal(t, "live entries left of 50, after 25 Sets into a store of 100 that holds 50 expired ones", t.count(b, live), len(live))
			Equal(t, "new entries left of 25", t.count(b, more), len(more))
		}},
	{ID: "EVI-4", Name: "own_entry_stays",
		Rule:     "an entry is not evicted by its own Set",
		Why:      "a Set without an effect",
		Features: []Feature{Threshold}, traits: once,
		Run: func(t *T) {
			b := t.limited()
			for i, key := range keys("k", 3*most) {
				ttl := []time.Duration{0, time.Hour, time.Minute}[i%3]
				t.put(b, key, ttl)
				if t.count(b, []string{key}) == 0 {
					t.Stop(fmt.Sprintf("Get right after Set(%s, ttl %v) in a full store", key, ttl), text("a miss"), text("a hit"))
				}
				if added, err := b.Add(t.ctx, key+"add", []byte("v"), ttl); err != nil || !added {
					t.Stop("Add in a full store", text(fmt.Sprint(added, err)), true)
				}
				if t.count(b, []string{key + "add"}) == 0 {
					t.Stop("Get right after Add in a full store", text("a miss"), text("a hit"))
				}
			}
		}},
	{ID: "EVI-5", Name: "cost_is_bounded",
		Rule:     "at the threshold, the cost of Sets stays linear",
		Why:      "a scan of the whole directory for each Set",
		Features: []Feature{Threshold}, traits: once | private,
		Run: evictionCost},
}

// limited is an empty store of most entries, closed with the case.
func (t *T) limited() cache.Backend {
	b := t.bounded(most)
	t.closing = append(t.closing, b)
	return b
}

func (t *T) put(b cache.Backend, key string, ttl time.Duration) {
	t.Ok("Set in a bounded store", b.Set(t.ctx, key, []byte("v"), ttl))
}

func (t *T) count(b cache.Backend, keys []string) int {
	n := 0
	for _, key := range keys {
		_, ok, err := b.Get(t.ctx, key)
		t.Ok("Get in a bounded store", err)
		if ok {
			n++
		}
	}
	return n
}

// evictionCost compares Sets into a full store of many entries with Sets into a
// full store of few.
func evictionCost(t *T) {
	sets, large := t.fewer(2000), t.fewer(5000)
	fill := func(size int) time.Duration {
		b := t.bounded(size)
		defer b.Close()
		for _, key := range keys("fill", size) {
			t.put(b, key, time.Hour)
		}
		list := keys("k", sets)
		begin := time.Now()
		for _, key := range list {
			t.put(b, key, time.Hour)
		}
		return time.Since(begin)
	}
	few, many := fill(10), fill(large)
	// A scan per Set would make it about a hundred times; the machine may be busy.
	if limit := 20*few + 500*time.Millisecond; many > limit {
		t.Wrong(fmt.Sprintf("%d Sets into a full store of %d entries (%v into one of 10)", sets, large, few), many, text("at most "+limit.String()))
	}
}
