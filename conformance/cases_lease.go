package conformance

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

var leaseCases = []Case{
	{ID: "LSE-1", Name: "one_token",
		Rule:     "exactly one of several concurrent Leases of an absent key, over all handles, returns a token",
		Why:      "If two callers get a lease, a popular key is loaded twice at every expiry.",
		Features: []Feature{Lease}, flags: needsOwnStore,
		run: func(t *attempt) {
			handles := t.handles()
			for round := range t.fewer(50) {
				t.leaseRace(fmt.Sprintf("k%d", round), handles)
			}
		}},
	{ID: "LSE-2", Name: "dead_holder",
		Rule:     "another caller gets the lease after hold, not earlier",
		Why:      "If a process is killed while it loads, the others must be able to load the key.",
		Features: []Feature{Lease}, flags: needsTime,
		run: deadHolder},
	{ID: "LSE-3", Name: "fill_after_a_write",
		Rule:     "after any write of a leased key, Fill with its token returns false and changes nothing",
		Why:      "A value that was loaded before the write would replace the newer one until it expires.",
		Features: []Feature{Lease},
		run:      fillAfterWrite},
	{ID: "LSE-4", Name: "leased_key_is_absent",
		Rule:     "a leased key is absent for every method: Add stores, Inc starts at delta, Delete returns false",
		Why:      "A backend that stores the lease under the key itself may return the lease as a value.",
		Features: []Feature{Lease},
		run:      leasedKeyIsAbsent},
	{ID: "LSE-5", Name: "release",
		Rule:     "Release ends the lease at once; afterwards Fill and Release with its token have no effect, nor after Fill",
		Why:      "Otherwise callers wait after a load that failed, or a late Release ends the lease of the next caller.",
		Features: []Feature{Lease},
		run:      releaseFrees},
	{ID: "LSE-6", Name: "lost_reply_of_fill",
		Rule:     "a Fill whose reply is lost returns ErrUnknownOutcome, stores at most once, and never replaces a newer value",
		Why:      "A Fill that is sent again after an invalidation stores the old value again.",
		Features: []Feature{Network, Lease}, flags: oneModeOnly | needsOwnStore,
		run: fillWithLostReply},
	{ID: "LSE-7", Name: "waiting",
		Rule:     "Lease of a leased key returns at once without a token, and after Fill it returns the value",
		Why:      "A store that blocks decides how long callers wait, and occupies connections that the holder needs for Fill.",
		Features: []Feature{Lease}, flags: needsTime,
		run: waiting},
	{ID: "LSE-8", Name: "no_stale_fill",
		Rule:     "the history of one key under Lease, Fill, Release and all writes is linearizable",
		Why:      "A value that was loaded before an invalidation and is stored after it is served until it expires.",
		Features: []Feature{Lease}, flags: needsOwnStore,
		run: func(t *attempt) { t.leaseHistories(t.handles(), nil) }},
	{ID: "LSE-9", Name: "fill_after_clear",
		Rule:     "Fill with a token from before a Clear returns false and stores nothing",
		Why:      "A value that was loaded before the whole cache was invalidated would be served after it.",
		Features: []Feature{Lease}, flags: emptiesStore,
		run: func(t *attempt) {
			t.requireClear()
			t.clear()
			token := t.lease("absent key", "k", driver.MaxHold)
			t.clear()
			t.refuses("after Clear", "k", token)
			t.miss("after Clear and a refused Fill", "k")
			t.fills("after Clear", "k", t.lease("after Clear", "k", driver.MaxHold), "new")
		}},
	{ID: "LSE-10", Name: "fill_too_late",
		Rule:     "Fill returns false and stores nothing after the end of hold, or after a write whose entry has expired since",
		Why:      "A process that was paused for a minute would store a value that is a minute old.",
		Features: []Feature{Lease}, flags: needsTime,
		run: fillTooLate},
	{ID: "LSE-11", Name: "present_key",
		Rule:     "Lease of a present key returns its value, also an empty one, and no token",
		Why:      "A hit with a token would make the caller load a value that is in the cache.",
		Features: []Feature{Lease},
		run:      leaseOfPresentKey},
	{ID: "LSE-12", Name: "filled_entry",
		Rule:     "an entry that Fill stores has the value and the TTL of the call",
		Why:      "If Fill ignores the TTL, old values are served until they are deleted.",
		Features: []Feature{Lease}, flags: needsTime,
		run: filledEntry},
	{ID: "LSE-13", Name: "mistakes",
		Rule:     "Lease, Fill and Release return ErrInvalidKey, ErrClosed and the error of a done context, as all operations do",
		Why:      "Programs handle these errors in one place for all operations.",
		Features: []Feature{Lease}, flags: needsOwnStore,
		run: leaseMistakes},
	{ID: "LSE-14", Name: "lost_reply_of_lease",
		Rule:     "if the reply of a Lease is lost, another caller gets the lease after hold at the latest",
		Why:      "The caller did not receive its token, so it neither fills nor releases the lease.",
		Features: []Feature{Network, Lease}, flags: oneModeOnly | needsOwnStore | needsTime,
		run: leaseWithLostReply},
	{ID: "LSE-15", Name: "server_unavailable",
		Rule:     "if connections are refused, Lease, Fill and Release return ErrUnavailable; Lease returns it also with WithIgnoreErrors",
		Why:      "If an outage looks like the lease of another caller, callers wait for a value that no caller loads.",
		Features: []Feature{Network, Lease}, flags: oneModeOnly | needsOwnStore,
		run: leaseUnavailable},
	{ID: "LSE-16", Name: "fill_after_clear_of_a_prefix",
		Rule:     "Clear with a prefix ends the leases of keys with the prefix, and no others",
		Why:      "A backend that finds entries by a scan may miss the leases of keys that have no entry.",
		Features: []Feature{Lease, PrefixClear}, flags: cacheOnly | oneModeOnly,
		run: func(t *attempt) {
			under := t.lease("absent key", "mine:k", driver.MaxHold)
			other := t.lease("absent key", "theirs:k", driver.MaxHold)
			t.must("Clear", cache.New(t.backend, cache.WithPrefix(t.storedKey("mine:"))).Clear(t.ctx))
			t.refuses("after Clear of the prefix", "mine:k", under)
			t.miss("after Clear of the prefix and a refused Fill", "mine:k")
			t.fills("after Clear of another prefix", "theirs:k", other, "v")
		}},
	{ID: "LSE-17", Name: "foreign_tokens",
		Rule:     "Fill and Release with an empty, malformed or foreign token have no effect and return no error",
		Why:      "A token of another key or store must not permit the Fill of a stale value.",
		Features: []Feature{Lease},
		run:      foreignTokens},
	{ID: "LSE-18", Name: "leases_are_independent",
		Rule:     "leases of different keys are independent, also those of similar keys and of the longest keys",
		Why:      "If two keys share a lease, the load of one waits for the load of the other.",
		Features: []Feature{Lease}, flags: needsOwnStore,
		run: leasesAreIndependent},
	{ID: "LSE-21", Name: "fill_after_a_history",
		Rule:     "LSE-3 holds for keys whose entry has expired, was deleted, or was filled without expiry and deleted",
		Why:      "What a removed entry leaves behind makes Delete or Fill take another path, which may keep the lease.",
		Features: []Feature{Lease}, flags: needsTime,
		run: fillAfterHistory},
	{ID: "LSE-20", Name: "kept_values",
		Rule:     "the rules of leases hold for values without encoding: LeaseValue, FillValue and Release",
		Why:      "Otherwise a view without encoding stores a value that was loaded before an invalidation.",
		Features: []Feature{Lease}, flags: oneModeOnly,
		run: keptValues},
	{ID: "LSE-22", Name: "kept_values_expire",
		Rule:     "for values without encoding, a lease ends after hold, and a value that FillValue stores expires at its TTL",
		Why:      "A lease that does not end keeps a view without encoding from loading the key again, and a lease that is ignored stores a stale value.",
		Features: []Feature{Lease}, flags: oneModeOnly | needsTime,
		run: keptValuesExpire},
	{ID: "LSE-19", Name: "no_stale_fill_with_faults",
		Rule:     "the history of one key under leases is linearizable while connections break and replies are lost",
		Why:      "A client that sends a Fill again, or reads the reply of another call, stores a stale value.",
		Features: []Feature{Network, Lease}, flags: oneModeOnly | needsOwnStore,
		run: func(t *attempt) {
			w := t.openProxied()
			t.leaseHistories([]*handle{w.handle}, &w)
			w.recovers("the faults")
		}},
}

// leaseRace makes 8 callers lease key at once. The caller with the token fills it.
func (t *attempt) leaseRace(key string, handles []*handle) {
	var mu sync.Mutex
	var tokens []string
	t.concurrently(8, func(i int) {
		value, ok, token, err := handles[i%len(handles)].Lease(t.ctx, key, driver.MaxHold)
		t.must("Lease", err)
		if ok {
			t.wrong("Lease of an absent key", leaseText(string(value), ok, token), text("no value"))
		}
		if token != "" {
			mu.Lock()
			defer mu.Unlock()
			tokens = append(tokens, token)
		}
	})
	if len(tokens) != 1 {
		t.stop("the tokens that 8 concurrent Leases of an absent key return", len(tokens), 1)
	}
	t.isLeased("after concurrent Leases", key)
	t.fills("after concurrent Leases", key, tokens[0], "loaded")
	for _, h := range handles {
		t.through(h, func() { t.leaseHits("after Fill", key, "loaded") })
	}
}

func deadHolder(t *attempt) {
	hold := t.shortTTL()
	begin := t.now()
	dead := t.lease("absent key", "k", hold)
	t.pass(hold / 2)
	_, _, early := t.tryLease("k", hold)
	if held := t.now().Sub(begin); early != "" && held < hold {
		t.wrong(fmt.Sprintf("Lease at most %v after a Lease with hold %v", held, hold), text("a token"), leaseText("", false, ""))
	}
	t.pass(hold + t.resolution())
	next := t.lease("after hold", "k", driver.MaxHold)
	t.refuses("after another caller got the lease", "k", dead)
	t.release("k", dead)
	t.fills("after the dead holder's Fill and Release", "k", next, "new")
}

func leasedKeyIsAbsent(t *attempt) {
	for _, key := range []string{"read", "add", "inc", "delete", "deletemany"} {
		t.lease("absent key", key, driver.MaxHold)
	}
	token := t.lease("absent key", "filled", driver.MaxHold)
	for _, key := range []string{"read", "filled"} {
		t.miss("after Lease", key)
		equal(t, "Has of a leased key", t.has(key), false)
		if values := t.getMany("absent", key); values[1] != nil {
			t.wrong("GetMany of a leased key", values[1], text("a miss"))
		}
		if t.supports(TTL) {
			left, ok, err := t.handle.TTL(t.ctx, key)
			t.must("TTL", err)
			equal(t, fmt.Sprintf("TTL of a leased key (%v), ok", left), ok, false)
		}
		if t.supports(Swap) {
			equal(t, "CompareAndSwap of a leased key, old value empty", t.swap(key, "", "new", time.Hour), false)
		}
		t.isLeased("after reads of a leased key", key)
	}
	t.fills("after reads of a leased key", "filled", token, "loaded")
	equal(t, "Add of a leased key", t.add("add", "v", time.Hour), true)
	t.hit("after Add of a leased key", "add", "v")
	t.hasTTL("after Add of a leased key with 1h", "add", time.Hour)
	if t.supports(Counter) {
		equal(t, "Inc of a leased key by 5", t.inc("inc", 5, time.Hour), 5)
		t.hit("after Inc of a leased key by 5", "inc", "5")
		t.hasTTL("after Inc of a leased key with 1h", "inc", time.Hour)
	}
	equal(t, "Delete of a leased key", t.delete("delete"), false)
	equal(t, "keys that DeleteMany of a leased key reports", len(t.deleteMany("deletemany", "absent")), 0)
}

func releaseFrees(t *attempt) {
	released := t.lease("absent key", "k", driver.MaxHold)
	t.release("k", released)
	used := t.lease("after Release", "k", driver.MaxHold)
	t.refuses("after Release", "k", released)
	t.release("k", released)
	t.isLeased("after a second Release with the same token", "k")
	t.fills("after a second Release with the same token", "k", used, "first")
	t.refuses("after Fill with the same token", "k", used)
	t.release("k", used)
	t.hit("after a second Fill and Release with the same token", "k", "first")
	t.delete("k")
	next := t.lease("after Delete", "k", driver.MaxHold)
	t.refuses("with a token that was used before the Delete", "k", used)
	t.release("k", used)
	t.isLeased("after Release with a used token", "k")
	for _, old := range []string{released, used} {
		equal(t, "the token of a later lease is the same", next == old, false)
	}
}

func waiting(t *attempt) {
	token := t.lease("absent key", "k", driver.MaxHold)
	for range 3 {
		ctx, cancel := context.WithTimeout(t.ctx, driver.MaxHold/6)
		value, ok, other, err := t.handle.Lease(ctx, "k", driver.MaxHold)
		cancel()
		if err != nil || ok || other != "" {
			t.stop("Lease while another caller holds the lease", text(fmt.Sprintf("%s, %v", leaseText(string(value), ok, other), err)),
				text("no value, no token, no error"))
		}
	}
	t.concurrently(4, func(worker int) {
		if worker == 0 {
			t.fills("while others wait", "k", token, "loaded")
			return
		}
		value, ok, other := t.tryLease("k", driver.MaxHold)
		for wait := time.Millisecond; !ok && other == "" && wait < 10*time.Second; wait *= 2 {
			time.Sleep(wait)
			value, ok, other = t.tryLease("k", driver.MaxHold)
		}
		equal(t, "Lease after Fill of another caller", leaseText(value, ok, other), leaseText("loaded", true, ""))
	})
}

func leaseOfPresentKey(t *attempt) {
	t.set("k", "v", time.Hour)
	t.set("empty", "", 0)
	for key, want := range map[string]string{"k": "v", "empty": ""} {
		t.leaseHits("present key", key, want)
	}
	value, ok, _, err := t.handle.Lease(t.ctx, "empty", driver.MaxHold)
	t.must("Lease", err)
	if ok && value == nil && t.mode != bare {
		t.wrong("Lease of a key with an empty value", text("a nil slice"), text("an empty slice"))
	}
	t.hasTTL("set with 1h, then Lease", "k", time.Hour)
	t.hasTTL("set with 0, then Lease", "empty", 0)
	t.delete("k")
	t.lease("after Lease of a present key and Delete", "k", driver.MaxHold)
}

func leasesAreIndependent(t *attempt) {
	long := 250
	if limit := t.harness.Limits.MaxKey; limit != 0 {
		long = limit
	}
	longest := t.keyOfLength(long)
	names := []string{"a", "A", "aa", "a:", "a:b", "{a}", "{a}b", "b{a}", "{", "{}", "a{", "}", "a:lease", "lease:a", longest, longest[:len(longest)-1] + "y"}
	tokens := map[string]string{}
	for _, key := range names {
		_, _, token, err := t.handle.Lease(t.ctx, key, driver.MaxHold)
		if errors.Is(err, driver.ErrInvalidKey) && key != longest {
			continue
		}
		t.must("Lease of the key "+show(key), err)
		if token == "" {
			t.stop("Lease of the key "+show(key)+", similar ones being leased", leaseText("", false, ""), text("a token"))
		}
		tokens[key] = token
	}
	for key, token := range tokens {
		if key != "a" {
			t.refuses("with the token of the key "+show(key), "a", token)
		}
	}
	for key, token := range tokens {
		t.isLeased("similar keys being leased", key)
		t.fills("similar keys being leased", key, token, "of "+key)
	}
	for key := range tokens {
		t.hit("after Fill of similar keys", key, "of "+key)
	}
}
