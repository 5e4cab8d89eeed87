package loadertest

import (
	"context"
	"errors"
	"fmt"
	"io"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/loader"
)

var failureRules = []Rule{{
	ID: "LOA-12", Rule: "an error of load is returned and not stored",
	Why: "A short failure of the source is served until its entry expires.",
	run: func(a *attempt) {
		s := newSource()
		l := a.loader(a.one, loader.Policy{Fresh: long}, s.load)
		s.fail(errBroken)
		a.wantError(l, "k", errBroken)
		s.fail(nil)
		a.want(l, "k", "k#2")
	},
}, {
	ID: "LOA-13", Rule: "if the source has no value, Get returns ErrMissing, without a load for the time of Missing",
	Why: "Every request for a record that does not exist reaches the source.",
	run: func(a *attempt) {
		s := newSource()
		s.fail(fmt.Errorf("no row: %w", loader.ErrMissing))
		l := a.loader(a.one, loader.Policy{Fresh: long, Missing: long, Backoff: long}, s.load)
		for range 3 {
			a.wantError(l, "k", loader.ErrMissing)
		}
		a.wantCalls(s, 1)
		l = a.loader(a.one, loader.Policy{Fresh: long, Missing: short, Backoff: long}, s.load)
		a.wantError(l, "brief", loader.ErrMissing)
		past(short)
		s.fail(nil)
		a.want(l, "brief", "brief#3")
		l = a.loader(a.one, loader.Policy{Fresh: long, Backoff: long}, s.load)
		s.fail(loader.ErrMissing)
		a.wantError(l, "unremembered", loader.ErrMissing)
		s.fail(nil)
		a.want(l, "unremembered", "unremembered#5")
	},
}, {
	ID: "LOA-14", Rule: "if a load returns ErrMissing, the old value is not served any more",
	Why: "A record that was removed from the source is served until the end of its Rescue phase.",
	run: func(a *attempt) {
		for _, p := range []loader.Policy{
			{Fresh: long, Stale: long, Rescue: long, Missing: long},
			{Fresh: long, Stale: long, Rescue: long},
			{Fresh: long, Rescue: long},
		} {
			s := newSource()
			l := a.loader(a.one, p, s.load)
			key := fmt.Sprintf("%v-%v", p.Stale, p.Missing)
			a.want(l, key, key+"#1")
			s.fail(loader.ErrMissing)
			a.must(l.Expire(a.ctx, key))
			a.eventually("ErrMissing", func() bool {
				_, err := l.Get(a.ctx, key)
				return errors.Is(err, loader.ErrMissing)
			})
			s.fail(errBroken) // nothing old is kept
			if value, err := l.Get(a.ctx, key); err == nil {
				a.fatalf("Get = %q, which is missing", value)
			}
		}
	},
}, {
	ID: "LOA-15", Rule: "a failing source is called once for each Backoff",
	Why: "An overloaded source receives more requests the more of them fail.",
	run: func(a *attempt) {
		s := newSource()
		l := a.expired(s, loader.Policy{Fresh: long, Stale: long, Backoff: long})
		s.fail(errBroken)
		for range 5 {
			a.want(l, "k", "k#1")
		}
		a.wantCalls(s, 2)
		for range 5 {
			a.want(l, "k", "k#1")
			a.wantError(l, "absent", errBroken)
		}
		a.wantCalls(s, 3)
		s.fail(nil)
		a.must(l.Delete(a.ctx, "absent")) // ends the backoff
		a.want(l, "absent", "absent#4")
		l = a.loader(a.one, loader.Policy{Fresh: long, Backoff: short}, s.load)
		s.fail(errBroken)
		a.wantError(l, "brief", errBroken)
		s.fail(nil)
		a.eventuallyGets(l, "brief", "brief#6")
	},
}, {
	ID: "LOA-16", Rule: "after Limit the callers get ErrLate even if load does not return",
	Why: "If the source hangs, all callers hang.",
	run: func(a *attempt) {
		blocked := make(chan struct{})
		defer close(blocked)
		l := a.loader(a.one, loader.Policy{Fresh: long, Limit: short}, func(context.Context, string) (string, error) {
			<-blocked
			return "too late", nil
		})
		a.wantError(l, "k", loader.ErrLate)
		s := newSource()
		p := loader.Policy{Fresh: long, Rescue: long}
		before := a.loader(a.one, p, s.load) // without Limit, which a slow machine may exceed
		a.want(before, "rescued", "rescued#1")
		a.must(before.Expire(a.ctx, "rescued"))
		p.Limit = short
		rescued := a.loader(a.one, p, s.load)
		defer s.shut()()
		a.want(rescued, "rescued", "rescued#1")
		a.wantError(rescued, "absent", loader.ErrLate)
	},
}, {
	ID: "LOA-17", Rule: "if load panics, only the callers that wait for it panic",
	Why: "A panic in the background ends the program, or callers wait for a load that has panicked.",
	run: func(a *attempt) {
		s := newSource()
		panics := false
		l := a.loader(a.one, loader.Policy{Fresh: long, Stale: long, Backoff: long}, func(ctx context.Context, key string) (string, error) {
			if panics {
				panic(io.ErrNoProgress)
			}
			return s.load(ctx, key)
		})
		a.want(l, "k", "k#1")
		panics = true
		if g := a.receive(a.start(l, "absent")); g.panicked != any(io.ErrNoProgress) {
			a.fatalf("Get = %+v, want the panic of load", g)
		}
		a.wantError(l, "absent", io.ErrNoProgress)
		a.must(l.Expire(a.ctx, "k"))
		a.want(l, "k", "k#1")
		a.must(l.Close())
	},
}, {
	ID: "LOA-18", Rule: "at most Loads loads run at a time",
	Why: "After a restart every key is loaded at the same time, and the source breaks down.",
	run: func(a *attempt) {
		const most, keys = 2, 6
		s := newSource()
		open := s.shut()
		l := a.loader(a.one, loader.Policy{Fresh: long, Loads: most}, s.load)
		var outcomes []<-chan got
		for i := range keys {
			outcomes = append(outcomes, a.start(l, fmt.Sprint(i)))
		}
		a.wantCalls(s, most)
		open()
		for _, outcome := range outcomes {
			a.must(a.receive(outcome).err)
		}
		if n := s.mostRunning(); n > most {
			a.fatalf("%d loads ran at a time, want %d", n, most)
		}
		var nested *loader.Loader[string]
		nested = a.loader(a.one, loader.Policy{Fresh: long, Loads: 1}, func(ctx context.Context, key string) (string, error) {
			if key == "outer" {
				return nested.Get(ctx, "inner")
			}
			return key, nil
		})
		a.want(nested, "outer", "inner")
	},
}, {
	ID: "LOA-19", Rule: "a load that waits for itself gets ErrRecursiveLoad",
	Why: "The load and all callers of its key hang.",
	run: func(a *attempt) {
		var l *loader.Loader[string]
		next := map[string]string{"self": "self", "a": "b", "b": "a"}
		l = a.loader(a.one, loader.Policy{Fresh: long}, func(ctx context.Context, key string) (string, error) {
			return l.Get(ctx, next[key])
		})
		a.wantError(l, "self", cache.ErrRecursiveLoad)
		a.wantError(l, "a", cache.ErrRecursiveLoad)
	},
}}
