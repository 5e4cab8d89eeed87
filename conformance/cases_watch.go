package conformance

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cachebackends/cachebackends/conformance/proxy"
	"github.com/cachebackends/cachebackends/core/driver"
)

var watchCases = []Case{
	{ID: "WAT-1", Name: "changes_are_reported",
		Rule:     "after Ready, Watch reports each key that another handle (or the only one) stores, replaces, increments or removes, or it returns",
		Why:      "A near cache that does not learn of a change serves the old value until it expires.",
		Features: []Feature{Watch}, flags: usesFreeTime,
		run: func(t *attempt) {
			for i, c := range watchedChanges {
				if (c.needs == "" || t.supports(c.needs)) && (c.before != expired || t.timeIsFree() && t.readsTTL()) {
					t.reportsChange(i, c)
				}
			}
		}},
	{ID: "WAT-2", Name: "clear_is_reported",
		Rule:     "after Ready, Watch reports each entry that Clear removes, with a prefix or without, or it returns",
		Why:      "A near cache would go on serving what the program has cleared.",
		Features: []Feature{Watch}, flags: usesFreeTime | emptiesStore,
		run: func(t *attempt) {
			if t.supports(PrefixClear) {
				t.reportsClear("ClearPrefix", func(h *handle) error { return h.ClearPrefix(t.ctx, "w-") })
			}
			if !cannotClear(t) {
				t.reportsClear("Clear", func(h *handle) error { return h.Clear(t.ctx) })
			}
		}},
	{ID: "WAT-3", Name: "foreign_prefixes",
		Rule:     "Watch reports only keys with its prefix, and reports them as the backend received them",
		Why:      "A near cache whose program shares the server would discard entries at every change of another program.",
		Features: []Feature{Watch}, flags: usesFreeTime,
		run: foreignPrefixes},
	{ID: "WAT-4", Name: "ends_with_its_context",
		Rule:     "Watch returns ctx.Err() when its context is done, and calls neither Ready nor Changed afterwards",
		Why:      "Close of a near cache would block on its watcher, or the watcher would change a near cache that is closed.",
		Features: []Feature{Watch}, flags: usesFreeTime,
		run: watchEnds},
	{ID: "WAT-5", Name: "close",
		Rule:     "Close ends a Watch with an error that is not nil, and Watch after Close returns ErrClosed without Ready",
		Why:      "A Watch that goes on after Close leaks a goroutine and a connection.",
		Features: []Feature{Watch}, flags: usesFreeTime | needsOwnStore,
		run: func(t *attempt) {
			w := t.watch(t.handle.direct(), t.storedKey("w-"))
			t.must("Close", t.close())
			w.endsWithError("Watch of a backend that was closed")
			w = t.startWatch(t.ctx, t.handle.direct(), t.storedKey("w-"), watchGrace)
			w.endsWith("Watch after Close", driver.ErrClosed)
			equal(t, "Watch after Close calls Ready", w.wasReady(), false)
		}},
	{ID: "WAT-6", Name: "several_watches",
		Rule:     "several calls of Watch run at the same time; each reports the keys of its prefix, and the end of one does not end the others",
		Why:      "Two caches with different prefixes may share a backend.",
		Features: []Feature{Watch}, flags: usesFreeTime,
		run: severalWatches},
	{ID: "WAT-7", Name: "quiet_store",
		Rule:     "Watch does not return because nothing changes for longer than grace",
		Why:      "A near cache would be emptied again and again in a quiet hour.",
		Features: []Feature{Watch}, flags: needsTime | oneModeOnly,
		run: quietStore},
	{ID: "WAT-8", Name: "connection_lost",
		Rule:     "if the connection breaks or the server does not answer, Watch returns an error within grace",
		Why:      "A near cache that does not learn of the loss serves old values, although another program has replaced them.",
		Features: []Feature{Watch, Network}, flags: oneModeOnly | needsOwnStore,
		run: connectionOfWatchLost},
	{ID: "WAT-9", Name: "many_changes",
		Rule:     "of 3000 changes in a row, Watch reports every key, or it returns an error",
		Why:      "A queue that drops notices when it is full leaves old values in a near cache.",
		Features: []Feature{Watch}, flags: usesFreeTime | needsOwnStore | oneModeOnly,
		run: manyChanges},
	{ID: "WAT-10", Name: "evictions",
		Rule:     "Watch reports each entry that the store evicts to keep within its bound, or it returns",
		Why:      "The documentation of Watcher promises it, and a near cache may rely on it to hold no more than the store.",
		Features: []Feature{Watch, Threshold}, flags: usesFreeTime | needsOwnStore | oneModeOnly,
		run: evictionsAreReported},
}

// watchedChange is a change of keys, from another handle than the watching one.
type watchedChange struct {
	name   string
	needs  Feature
	before string // the value of the keys before the change; "" for absent keys
	change func(t *attempt, keys []string)
}

func each(change func(t *attempt, key string)) func(*attempt, []string) {
	return func(t *attempt, keys []string) {
		for _, key := range keys {
			change(t, key)
		}
	}
}

var watchedChanges = []watchedChange{
	{"Set of an absent key", "", "", each(func(t *attempt, key string) { t.set(key, "new", time.Hour) })},
	{"Set of a present key", "", "old", each(func(t *attempt, key string) { t.set(key, "new", 0) })},
	{"Add", "", "", each(func(t *attempt, key string) { equal(t, "Add", t.add(key, "new", time.Hour), true) })},
	{"Add of an expired key", "", expired, each(func(t *attempt, key string) {
		equal(t, "Add of an expired key", t.add(key, "new", time.Hour), true)
	})},
	{"Delete", "", "old", each(func(t *attempt, key string) { equal(t, "Delete", t.delete(key), true) })},
	{"SetMany", "", "old", func(t *attempt, keys []string) { t.setMany(sameItems(keys, "new"), time.Hour) }},
	{"DeleteMany", "", "old", func(t *attempt, keys []string) {
		equal(t, "keys that DeleteMany removes", len(t.deleteMany(keys...)), len(keys))
	}},
	{"Inc of an absent key", Counter, "", each(func(t *attempt, key string) { t.inc(key, 1, time.Hour) })},
	{"Inc of a present key", Counter, "7", each(func(t *attempt, key string) { t.inc(key, 1, time.Hour) })},
	{"CompareAndSwap", Swap, "old", each(func(t *attempt, key string) {
		equal(t, "CompareAndSwap", t.swap(key, "old", "new", time.Hour), true)
	})},
	{"Fill", Lease, "", each(func(t *attempt, key string) {
		equal(t, "Fill", t.fillLease(key, t.lease("absent key", key, driver.MaxHold), "new", time.Hour), true)
	})},
}

// expired stands for an entry that has expired before the change. Where time is not free,
// such changes are left out.
const expired = "expired"

// changer returns the handle that changes what the handle of the attempt watches: another
// one, if the store can have it.
func (t *attempt) changer() *handle {
	if t.canReopen() && !t.harness.declares(OneHandle) {
		return t.reopened()
	}
	return t.handle
}

// reportsChange makes a change and waits for its notices. Watch may return in their
// place, but not each time.
func (t *attempt) reportsChange(i int, c watchedChange) {
	const tries = 5
	other := t.changer()
	for try := range tries {
		keys := []string{fmt.Sprintf("w-%d-%d-a", i, try), fmt.Sprintf("w-%d-%d-b", i, try)}
		switch c.before {
		case "":
		case expired:
			t.setExpired(keys...)
		default:
			t.setMany(sameItems(keys, c.before), time.Hour)
		}
		w := t.watch(t.handle.direct(), t.storedKey("w-"))
		t.synchronize(w, other)
		t.through(other, func() { c.change(t, keys) })
		switch o, missing := w.await(t.handle.storedAll(keys)...); o {
		case unreported:
			t.stop(fmt.Sprintf("the keys whose change by %s was not reported after %v", c.name, w.limit()), fmt.Sprintf("%q", missing), text("none"))
		case reported:
			w.end()
			return
		}
	}
	t.wrong(fmt.Sprintf("%d calls of Watch during %s", tries, c.name), text("each returned an error and no notice"), text("a notice for each key"))
}

// synchronize waits for the notice of a change after which earlier ones do not arrive,
// and forgets them.
func (t *attempt) synchronize(w *watching, other *handle) {
	t.through(other, func() { t.set("w-sync", "v", time.Hour) })
	if o, _ := w.await(t.storedKey("w-sync")); o == unreported {
		t.stop("a change after Ready, by Set", text(fmt.Sprintf("no notice after %v", w.limit())), text("a notice"))
	}
	w.forget()
}

// storedAll is stored for several keys.
func (h *handle) storedAll(keys []string) []string {
	list := make([]string, len(keys))
	for i, key := range keys {
		list[i] = h.stored(key)
	}
	return list
}

func (t *attempt) reportsClear(name string, call func(h *handle) error) {
	list := keys("w-", 5)
	t.setMany(sameItems(list, "v"), time.Hour)
	w := t.watch(t.handle.direct(), t.storedKey("w-"))
	defer w.cancel()
	other := t.changer()
	t.synchronize(w, other)
	t.must(name, call(other))
	if o, missing := w.await(t.handle.storedAll(list)...); o == unreported {
		t.wrong("the keys whose removal by "+name+" was not reported", fmt.Sprintf("%q", missing), text("none, or Watch returns"))
	} else if o == reported {
		w.end()
	}
}

func foreignPrefixes(t *attempt) {
	prefix := t.storedKey("w-")
	w := t.watch(t.handle.direct(), prefix)
	defer w.cancel()
	t.through(t.changer(), func() {
		for _, key := range []string{"w", "v-k", "xw-k", "w_k", "W-k", "k:w-k", "w-k"} {
			if t.harness.Limits.spells(key) {
				t.set(key, "v", time.Hour)
				t.delete(key)
			}
		}
	})
	if o, _ := w.await(t.storedKey("w-k")); o == unreported {
		t.stop("a change with the prefix, by Set", text(fmt.Sprintf("no notice after %v", w.limit())), text("a notice"))
	}
	for _, key := range w.keys() {
		if !strings.HasPrefix(key, t.spelledKey(prefix)) {
			t.wrong("a key that Watch of the prefix "+show(prefix)+" reports", key, text("keys with the prefix"))
		}
	}
}

func watchEnds(t *attempt) {
	prefix := t.storedKey("w-")
	t.watch(t.handle.direct(), prefix).end()
	ctx, cancel := context.WithTimeout(t.ctx, 50*time.Millisecond)
	defer cancel()
	w := t.startWatch(ctx, t.handle.direct(), prefix, watchGrace)
	w.endsWith("Watch after its deadline", context.DeadlineExceeded)
	w = t.startWatch(ctx, t.handle.direct(), prefix, watchGrace)
	w.endsWith("Watch with a context that is done", context.DeadlineExceeded)
	equal(t, "Watch with a context that is done calls Ready", w.wasReady(), false)
	t.set("w-k", "v", time.Hour) // a notice after the return of Watch is a failure
	w = t.watch(t.handle.direct(), prefix)
	t.synchronize(w, t.changer())
	w.end()
}

// endsWithError stops the case if Watch does not return an error.
func (w *watching) endsWithError(what string) {
	defer w.waiting()()
	select {
	case <-w.returned:
		w.t.isError(what, w.result())
	case <-time.After(w.limit()):
		w.t.stop(what, text(fmt.Sprintf("no return after %v", w.limit())), text("it returns an error"))
	}
}

func severalWatches(t *attempt) {
	other := t.changer()
	names := []string{"w-a-", "w-b-", "w-"}
	var all []*watching
	for _, name := range names {
		all = append(all, t.watch(t.handle.direct(), t.storedKey(name)))
		defer all[len(all)-1].cancel()
	}
	t.through(other, func() {
		t.set("w-a-k", "v", time.Hour)
		t.set("w-b-k", "v", time.Hour)
	})
	for i, key := range []string{"w-a-k", "w-b-k", "w-b-k"} {
		if o, _ := all[i].await(t.storedKey(key)); o == unreported {
			t.stop(fmt.Sprintf("a change of %q, with %d calls of Watch", key, len(all)), text("no notice"), text("a notice"))
		}
	}
	equal(t, "the Watch of another prefix reports a change", all[0].has(t.storedKey("w-b-k")), false)
	all[0].end()
	t.through(other, func() { t.set("w-b-k2", "v", time.Hour) })
	if o, _ := all[1].await(t.storedKey("w-b-k2")); o != reported {
		t.wrong("a change after the end of another Watch", text("no notice"), text("a notice"))
	}
}

// quietStore waits for several times the grace, and then for a notice. Other rules may
// share the server and empty it, which ends a Watch: only one of several must last.
func quietStore(t *attempt) {
	const grace = time.Second
	var err error
	for range 10 {
		w := t.startWatch(t.ctx, t.handle.direct(), t.storedKey("w-"), grace)
		w.awaitReady()
		t.pass(3 * grace)
		select {
		case <-w.returned:
			err = w.result()
			w.cancel()
		default:
			defer w.cancel()
			t.synchronize(w, t.changer())
			return
		}
		if t.harness.Isolated && t.harness.Bubble {
			break
		}
	}
	t.stop("Watch with a grace of 1s, after 3s without a change", text(fmt.Sprintf("it returned %v", err)), text("it blocks"))
}

func connectionOfWatchLost(t *attempt) {
	const grace = time.Second
	p := t.openProxied()
	prefix := p.handle.stored("w-")
	for _, c := range []struct {
		name  string
		fault func()
	}{
		{"connections that are refused", func() { p.inject(proxy.Refuse); p.Drop() }},
		{"a server that does not answer", func() { p.inject(proxy.Blackhole) }},
		{"a connection that was cut", func() { p.Drop() }},
	} {
		what := "Watch with a grace of 1s, after " + c.name
		var w *watching
		start := func() {
			p.inject(proxy.Pass)
			w = p.watch(prefix, grace)
		}
		err := t.returnsWithinAfter(start, what, 2*grace, func() error {
			defer w.cancel()
			c.fault()
			<-w.returned
			return w.result()
		})
		t.isError(what, err)
		p.recovers(c.name)
	}
	p.inject(proxy.Refuse)
	p.handle.Get(t.ctx, "proxied")
	w := t.startWatch(t.ctx, p.handle.direct(), prefix, grace)
	w.endsWith("Watch with connections refused", driver.ErrUnavailable)
	equal(t, "Watch with connections refused calls Ready", w.wasReady(), false)
	p.recovers("the outage")
	p.inject(proxy.Blackhole)
	w = t.startWatch(t.ctx, p.handle.direct(), prefix, grace)
	<-w.returned
	t.isError("Watch of a server that does not answer", w.result())
	equal(t, "Watch of a server that does not answer calls Ready", w.wasReady(), false)
	p.recovers("the black hole")
}

func manyChanges(t *attempt) {
	n := t.fewer(3000)
	w := t.watch(t.handle.direct(), t.storedKey("w-"))
	defer w.cancel()
	list := keys("w-k", n)
	t.through(t.changer(), func() {
		for chunk := range slices.Chunk(list, 100) {
			t.setMany(sameItems(chunk, "v"), time.Hour)
		}
	})
	if o, missing := w.await(t.handle.storedAll(list)...); o == unreported {
		t.wrong(fmt.Sprintf("keys of %d changes that were not reported", n), text(fmt.Sprintf("%d, such as %q", len(missing), missing[0])), text("none, or Watch returns"))
	}
}

// evictionsAreReported fills a bounded store with entries of another prefix.
func evictionsAreReported(t *attempt) {
	b := driver.Resolve(t.openBounded())
	list, others := keys("w-", threshold/2), keys("x", 10*threshold)
	for _, key := range list {
		t.setIn(b, key, time.Hour)
	}
	w := t.watch(b, "w-")
	defer w.cancel()
	for _, key := range others {
		t.setIn(b, key, time.Hour)
	}
	var evicted []string
	for _, key := range list {
		if t.countIn(b, []string{key}) == 0 {
			evicted = append(evicted, key)
		}
	}
	if len(evicted) == 0 {
		t.notApplicable("the store evicted none of the watched entries")
	}
	if o, missing := w.await(evicted...); o == unreported {
		t.wrong("keys of evicted entries that were not reported", fmt.Sprintf("%q", missing), text("none, or Watch returns"))
	}
}
