package conformance

import (
	"fmt"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

var statsCases = []Case{
	{ID: "STA-1", Name: "numbers_make_sense",
		Rule:     "each number of Stats is at least 0, or -1 if it is not known; the counters of a new backend are 0",
		Why:      "A dashboard that adds up numbers of several stores shows nonsense if one of them is negative or uninitialised.",
		Features: []Feature{Stats},
		run: func(t *attempt) {
			first := t.stats()
			if t.ownStore {
				equal(t, "Evictions of a new backend is more than 0", first.Evictions > 0, false)
				equal(t, "Expirations of a new backend is more than 0", first.Expirations > 0, false)
			}
			if first == driver.UnknownStats {
				t.wrong("Stats", text("no known number"), text("at least one, or an error that wraps errors.ErrUnsupported"))
			}
		}},
	{ID: "STA-2", Name: "entries",
		Rule:     "Entries counts each present key once, whichever operation stored or removed it",
		Why:      "If an overwrite counts twice or a removal not at all, a store seems to fill up, and an operator enlarges it in vain.",
		Features: []Feature{Stats}, flags: emptiesStore | usesFreeTime,
		run: entriesAreCounted},
	{ID: "STA-3", Name: "bytes",
		Rule:     "Bytes includes at least the value of each entry, and shrinks when entries are removed or replaced by smaller ones",
		Why:      "A wrong size makes an operator set a bound that is too high for the machine.",
		Features: []Feature{Stats}, flags: emptiesStore | usesFreeTime,
		run: bytesAreCounted},
	{ID: "STA-4", Name: "expirations",
		Rule:     "an expired entry leaves Entries when it is removed, and Expirations counts it once at most",
		Why:      "The rate of expirations shows whether a TTL is too short for the source behind the cache.",
		Features: []Feature{Stats}, flags: needsTime | emptiesStore,
		run: expirationsAreCounted},
	{ID: "STA-5", Name: "evictions",
		Rule:     "in a bounded store, Evictions counts each entry that was removed to keep within the bound",
		Why:      "The rate of evictions shows whether a cache is too small.",
		Features: []Feature{Stats, Threshold}, flags: oneModeOnly | needsOwnStore | usesFreeTime,
		run: evictionsAreCounted},
	{ID: "STA-6", Name: "counters_never_decrease",
		Rule:     "Evictions and Expirations never decrease, also after Clear and with concurrent callers",
		Why:      "Monitoring takes a smaller value for a restart and counts everything again.",
		Features: []Feature{Stats}, flags: emptiesStore | needsOwnStore,
		run: countersNeverDecrease},
}

// stats returns the statistics of the store, which must make sense.
func (t *attempt) stats() driver.Stats { return t.statsOf(t.handle.direct()) }

func (t *attempt) statsOf(b driver.Stater) driver.Stats {
	t.step()
	stats, err := b.Stats(t.ctx)
	t.must("Stats", err)
	for name, n := range map[string]int64{
		"Entries": stats.Entries, "Bytes": stats.Bytes, "MaxBytes": stats.MaxBytes, "Evictions": stats.Evictions, "Expirations": stats.Expirations,
	} {
		if n < -1 {
			t.wrong("Stats: "+name, n, text("at least 0, or -1"))
		}
	}
	switch stats.State {
	case "", "closed", "open", "half-open":
	default:
		t.wrong("Stats: State", stats.State, text(`"", "closed", "open" or "half-open"`))
	}
	return stats
}

// settles repeats Stats until ok, because some stores count a moment later. It returns
// the last result.
func (t *attempt) settles(ok func(s driver.Stats) bool) driver.Stats {
	for range 50 {
		if ok(t.stats()) {
			break
		}
		t.pass(20 * time.Millisecond)
	}
	return t.stats()
}

// requireCounts ends the case if the store is shared, or does not know a number.
func (t *attempt) requireCounts(name string, number func(s driver.Stats) int64) (before int64) {
	if !t.harness.Isolated { // expired entries of another rule may leave at any time
		t.notApplicable("other programs may use the store")
	}
	n := number(t.stats())
	if n == -1 {
		t.notApplicable("the store does not know " + name)
	}
	return n
}

func entries(s driver.Stats) int64 { return s.Entries }
func size(s driver.Stats) int64    { return s.Bytes }

// counts records a failure if Entries does not become want.
func (t *attempt) counts(when string, want int64) {
	if got := t.settles(func(s driver.Stats) bool { return s.Entries == want }).Entries; got != want {
		t.wrong("Stats: Entries "+when, got, want)
	}
}

func entriesAreCounted(t *attempt) {
	n := t.requireCounts("Entries", entries)
	t.counts("at the beginning", n)
	for _, b := range births {
		if t.supports(b.needs) {
			b.store(t, keys(b.name, 5), time.Hour)
			n += 5
			t.counts("after 5 entries by "+b.name, n)
		}
	}
	t.set("Set0", "7", 0)
	t.setMany(sameItems(keys("SetMany", 5), "8"), time.Hour)
	t.add("Add0", "new", time.Hour)
	t.counts("after SetMany, Set and Add of present keys", n)
	t.delete("Set0")
	t.delete("absent")
	t.deleteMany("Set1", "absent", "Add0")
	n -= 3
	t.counts("after removals of 3 present and 2 absent keys", n)
	t.set("Set0", "again", time.Hour)
	t.counts("after Set of a removed key", n+1)
	if !cannotClear(t) && t.mode != prefixed {
		t.clear()
		t.counts("after Clear", 0)
	}
}

func bytesAreCounted(t *attempt) {
	before := t.requireCounts("Bytes", size)
	large := 64 << 10
	if limit := t.harness.Limits.maxValue(); limit != 0 {
		large = min(large, limit)
	}
	const n = 4
	list := keys("large", n)
	for i, key := range list {
		t.must("Set", t.handle.Set(t.ctx, key, randomBytes(byte(i), large), time.Hour))
	}
	all := int64(n * large)
	grown := func(when string, least, most int64) {
		between := func(s driver.Stats) bool { return s.Bytes-before >= least && s.Bytes-before <= most }
		if s := t.settles(between); !between(s) {
			t.wrong("Stats: the growth of Bytes "+when, s.Bytes-before, text(fmt.Sprintf("%d to %d", least, most)))
		}
	}
	perEntry := int64(64 << 10) // blocks of files and tables
	grown(fmt.Sprintf("after Set of %d values of %d bytes", n, large), all, 4*all+n*perEntry)
	for i, key := range list {
		t.must("Set", t.handle.Set(t.ctx, key, randomBytes(byte(i+n), large), time.Hour))
	}
	grown("after Set of the same keys", all, 4*all+n*perEntry)
	t.set(list[0], "small", time.Hour)
	t.delete(list[1])
	t.deleteMany(list[2:]...)
	grown("after Set of a small value and removal of the others", -before, all-1)
}

func expirationsAreCounted(t *attempt) {
	n := t.requireCounts("Entries", entries)
	before := t.stats()
	t.set("stays", "v", time.Hour)
	list := keys("expired", 5)
	t.setExpired(list...)
	t.getMany(list...)
	for _, key := range list {
		t.miss("after its TTL", key)
	}
	t.add(list[0], "new", time.Hour)
	stats := t.stats()
	expired := stats.Expirations - before.Expirations
	if stats.Expirations != -1 && (expired < 0 || expired > 5) {
		t.wrong("Stats: Expirations after 5 entries have expired", expired, text("0 to 5"))
	}
	most := n + 6
	if stats.Expirations != -1 {
		most = n + 7 - max(1, expired) // one of them is stored again
	}
	if stats.Entries < n+2 || stats.Entries > most {
		t.wrong(fmt.Sprintf("Stats: Entries after 5 of 6 entries have expired and one was added again, with %d Expirations", expired),
			stats.Entries-n, text(fmt.Sprintf("2 to %d", most-n)))
	}
}

func evictionsAreCounted(t *attempt) {
	b := driver.Resolve(t.openBounded())
	if s := t.statsOf(b); s.Entries == -1 || s.Evictions == -1 {
		t.notApplicable("the store does not know Entries or Evictions")
	}
	list := keys("k", 5*threshold)
	for _, key := range list {
		t.setIn(b, key, time.Hour)
	}
	accounted := func(s driver.Stats) bool { return s.Entries+s.Evictions == int64(len(list)) }
	for range 50 {
		if accounted(t.statsOf(b)) {
			break
		}
		t.pass(20 * time.Millisecond)
	}
	if s := t.statsOf(b); !accounted(s) && !t.harness.declares(LateEviction) {
		t.wrong(fmt.Sprintf("Stats: Entries and Evictions after Set of %d keys in a store of %d", len(list), threshold),
			text(fmt.Sprintf("%d and %d", s.Entries, s.Evictions)), text(fmt.Sprintf("the sum is %d", len(list))))
	} else if s.Evictions == 0 || s.Entries > threshold+1 && !t.harness.declares(LateEviction) {
		t.wrong(fmt.Sprintf("Stats: Entries and Evictions after Set of %d keys in a store of %d", len(list), threshold),
			text(fmt.Sprintf("%d and %d", s.Entries, s.Evictions)), text(fmt.Sprintf("at most %d entries", threshold+1)))
	}
}

func countersNeverDecrease(t *attempt) {
	grows := func(last driver.Stats) driver.Stats {
		now := t.stats()
		if now.Evictions < last.Evictions || now.Expirations < last.Expirations {
			t.stop("Stats after Clear and other calls: Evictions and Expirations", text(fmt.Sprintf("%d and %d", now.Evictions, now.Expirations)),
				text(fmt.Sprintf("at least %d and %d", last.Evictions, last.Expirations)))
		}
		return now
	}
	change := func(i int, clear bool) {
		key := fmt.Sprintf("k%d", i%10)
		t.set(key, "v", time.Hour)
		t.delete(key)
		if clear && !cannotClear(t) {
			t.clear()
		}
	}
	last := t.stats()
	for i := range 10 {
		change(i, i%5 == 4)
		last = grows(last)
	}
	t.concurrently(4, func(worker int) {
		last := driver.UnknownStats
		for i := range t.fewer(50) {
			if worker > 0 {
				change(i, worker == 1 && i%10 == 0)
			}
			last = grows(last)
		}
	})
}
