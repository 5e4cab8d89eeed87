package loadertest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cachebackends/cachebackends/loader"
)

// A phase takes an hour if a rule requires that it does not end, and is short if the rule
// waits for its end. So no rule depends on the speed of the machine.
const (
	long  = time.Hour
	short = 50 * time.Millisecond
)

// past sleeps until a phase of length d has ended.
func past(d time.Duration) { time.Sleep(d + time.Millisecond) }

// Rules returns all rules.
func Rules() []Rule {
	var all []Rule
	for _, rules := range [][]Rule{phaseRules, failureRules, fillRules, manyRules, tagRules, endRules, randomRules} {
		all = append(all, rules...)
	}
	return all
}

var phaseRules = []Rule{{
	ID: "LOA-1", Rule: "a fresh value is served without a load",
	Why: "The source is called for every request, as if there were no cache.",
	run: func(a *attempt) {
		s := newSource()
		one := a.loader(a.one, loader.Policy{Fresh: long}, s.load)
		other := a.loader(a.other, loader.Policy{Fresh: long}, s.load)
		for range 3 {
			a.want(one, "k", "k#1")
			a.want(other, "k", "k#1")
		}
		a.wantCalls(s, 1)
	},
}, {
	ID: "LOA-2", Rule: "a value is never older than the phases of its policy",
	Why: "Users get data that the program has declared unusable.",
	run: func(a *attempt) {
		s := newSource()
		l := a.loader(a.one, loader.Policy{Fresh: short}, s.load)
		a.want(l, "k", "k#1")
		past(short)
		a.want(l, "k", "k#2")
		l = a.loader(a.one, loader.Policy{Fresh: short, Stale: short, Rescue: short}, s.load)
		a.want(l, "all", "all#3")
		s.fail(errBroken)
		past(3 * short)
		a.wantError(l, "all", errBroken)
	},
}, {
	ID: "LOA-3", Rule: "a stale value is served at once while one load runs in the background",
	Why: "At every expiry all callers wait for the source, which is called once for each of them.",
	run: func(a *attempt) {
		s := newSource()
		l := a.expired(s, loader.Policy{Fresh: long, Stale: long})
		open := s.shut()
		for range 5 {
			a.want(l, "k", "k#1")
		}
		a.wantCalls(s, 2)
		open()
		a.eventuallyGets(l, "k", "k#2")
		a.wantCalls(s, 2)

		l = a.loader(a.one, loader.Policy{Fresh: short, Stale: long}, s.load)
		a.want(l, "natural", "natural#3")
		past(short)
		open = s.shut()
		a.want(l, "natural", "natural#3")
		a.wantCalls(s, 4)
		open()
	},
}, {
	ID: "LOA-4", Rule: "a value in its Rescue phase is served only if its load fails",
	Why: "An outage of the source becomes an outage of the program, or old data is served although the source works.",
	run: func(a *attempt) {
		s := newSource()
		l := a.expired(s, loader.Policy{Fresh: long, Rescue: long})
		s.fail(errBroken)
		a.want(l, "k", "k#1")
		a.want(l, "k", "k#1")
		s.fail(nil)
		a.want(l, "k", "k#4")
	},
}, {
	ID: "LOA-5", Rule: "after Patience a caller gets the value in its Rescue phase and the load continues",
	Why: "A slow source makes every request slow although a usable value is stored.",
	run: func(a *attempt) {
		s := newSource()
		l := a.expired(s, loader.Policy{Fresh: long, Rescue: long, Patience: short})
		open := s.shut()
		a.want(l, "k", "k#1")
		open()
		a.eventuallyGets(l, "k", "k#2")
	},
}, {
	ID: "LOA-6", Rule: "Early starts loads in the background, at random, before the value is stale", bubble: true,
	Why: "Keys that are read often are served stale at every expiry, or an early load makes callers wait.",
	run: func(a *attempt) {
		s := newSource()
		l := a.loader(a.one, loader.Policy{Fresh: time.Hour, Early: 0.5}, s.load)
		a.want(l, "k", "k#1")
		open := s.shut()
		defer open()
		time.Sleep(30*time.Minute - time.Second)
		for range 100 {
			a.want(l, "k", "k#1")
		}
		a.wantCalls(s, 1)
		for range 29 {
			time.Sleep(time.Minute)
			a.want(l, "k", "k#1")
		}
		a.wantCalls(s, 2)
		open()
		a.eventuallyGets(l, "k", "k#2")
	},
}, {
	ID: "LOA-7", Rule: "Jitter shortens Fresh and never lengthens it", bubble: true,
	Why: "Entries that were loaded together expire together, or are served longer than their policy permits.",
	run: func(a *attempt) {
		const keys = 50
		s := newSource()
		l := a.loader(a.one, loader.Policy{Fresh: time.Hour, Jitter: 0.5}, s.load)
		all := func() int {
			for i := range keys {
				if _, err := l.Get(a.ctx, fmt.Sprint(i)); err != nil {
					a.fatalf("Get: %v", err)
				}
			}
			return s.count()
		}
		all()
		time.Sleep(30*time.Minute - time.Second)
		if n := all(); n != keys {
			a.fatalf("%d entries were loaded again before half of their life, at which Jitter 0.5 ends", n-keys)
		}
		time.Sleep(15 * time.Minute)
		if n := all(); n == keys || n == 2*keys {
			a.fatalf("after 3/4 of their life %d of %d entries were loaded again, want some", n-keys, keys)
		}
		time.Sleep(15*time.Minute + time.Second)
		if all(); s.count() < 2*keys {
			a.fatalf("some entries were served after their life")
		}
	},
}, {
	ID: "LOA-8", Rule: "Life sets how long one value is fresh",
	Why: "A token is served after it has expired, because only the load receives its expiry.",
	run: func(a *attempt) {
		s := newSource()
		life := short
		l := a.loader(a.one, loader.Policy{Fresh: long}, func(ctx context.Context, key string) (string, error) {
			loader.Life(ctx, life)
			return s.load(ctx, key)
		})
		a.want(l, "short", "short#1")
		past(short)
		a.want(l, "short", "short#2")
		life = long
		a.want(l, "long", "long#3")
		a.want(l, "long", "long#3")
		life = 0
		a.want(l, "none", "none#4")
		a.want(l, "none", "none#5")
	},
}, {
	ID: "LOA-9", Rule: "NoStore keeps a value out of the store",
	Why: "A load cannot prevent an incomplete value from being served to all callers.",
	run: func(a *attempt) {
		s := newSource()
		l := a.loader(a.one, loader.Policy{Fresh: long}, func(ctx context.Context, key string) (string, error) {
			loader.NoStore(ctx)
			return s.load(ctx, key)
		})
		a.want(l, "k", "k#1")
		a.want(l, "k", "k#2")
		if ok, err := a.one.Has(a.ctx, "k"); ok || err != nil {
			a.fatalf("Has = %v, %v; want false", ok, err)
		}
	},
}, {
	ID: "LOA-10", Rule: "Expire makes a value stale and does not remove it",
	Why: "After a change of the source all callers wait for one load.",
	run: func(a *attempt) {
		s := newSource()
		l := a.expired(s, loader.Policy{Fresh: long, Stale: long})
		open := s.shut()
		a.want(l, "k", "k#1")
		open()
		a.eventuallyGets(l, "k", "k#2")
		l = a.loader(a.one, loader.Policy{Fresh: long}, s.load)
		a.want(l, "plain", "plain#3")
		a.must(l.Expire(a.ctx, "plain"))
		a.want(l, "plain", "plain#4")
		a.must(l.Expire(a.ctx, "absent"))
	},
}, {
	ID: "LOA-11", Rule: "Refresh loads a fresh value and keeps it if the load fails",
	Why: "A program cannot replace an old value, or loses it if the load fails.",
	run: func(a *attempt) {
		s := newSource()
		l := a.loader(a.one, loader.Policy{Fresh: long, Backoff: long}, s.load)
		a.want(l, "k", "k#1")
		if got, err := l.Refresh(a.ctx, "k"); got != "k#2" || err != nil {
			a.fatalf("Refresh = %q, %v; want k#2", got, err)
		}
		a.want(l, "k", "k#2")
		s.fail(errBroken)
		for range 2 { // Backoff does not apply
			if got, err := l.Refresh(a.ctx, "k"); !errors.Is(err, errBroken) {
				a.fatalf("Refresh = %q, %v; want %v", got, err, errBroken)
			}
		}
		a.wantCalls(s, 4)
		a.want(l, "k", "k#2")
		s.fail(nil)
		if got, err := l.Refresh(a.ctx, "new"); got != "new#5" || err != nil {
			a.fatalf("Refresh = %q, %v; want new#5", got, err)
		}
		a.want(l, "new", "new#5")
	},
}}
