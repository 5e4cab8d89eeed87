package loadertest

import (
	"context"
	"errors"
	"fmt"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/loader"
)

var fillRules = []Rule{{
	ID: "LOA-20", Rule: "concurrent callers share one load and each owns its value",
	Why: "Every miss calls the source once for each caller, or one caller changes the value of another.",
	run: func(a *attempt) {
		s := newSource()
		open := s.shut()
		l := loader.New(a.one, a.changed(loader.Policy{Fresh: long}), func(ctx context.Context, key string) (value []byte, err error) {
			err = a.around(ctx, func(ctx context.Context) error {
				text, err := s.load(ctx, key)
				value = []byte(text)
				return err
			})
			return value, err
		}, a.harness.Options...)
		a.atEnd(func() { l.Close() })
		const callers = 8
		values := make(chan []byte, callers)
		for range callers {
			go func() {
				value, _ := l.Get(a.ctx, "k")
				values <- value
			}()
		}
		a.wantCalls(s, 1)
		open()
		for range callers {
			value := <-values
			if string(value) != "k#1" {
				a.fatalf("Get = %q, want k#1", value)
			}
			if !a.isKept() {
				value[0] = 'x'
			}
		}
		if value, err := l.Get(a.ctx, "k"); string(value) != "k#1" || err != nil {
			a.fatalf("Get = %q, %v; want k#1", value, err)
		}
	},
}, {
	ID: "LOA-21", Rule: "a value whose load began before a Delete is not stored",
	Why: "A value that was loaded before a change of the source is served until its entry expires.",
	run: func(a *attempt) {
		for _, remove := range []func(l *loader.Loader[string], key string) error{
			func(l *loader.Loader[string], key string) error { return l.Delete(a.ctx, key) },
			func(l *loader.Loader[string], key string) error { return l.Expire(a.ctx, key) },
			func(l *loader.Loader[string], key string) error { return l.Delete(a.ctx, "another", key) },
		} {
			s := newSource()
			l := a.loader(a.one, loader.Policy{Fresh: long}, s.load)
			open := s.shut()
			before := a.start(l, "k")
			a.wantCalls(s, 1)
			a.must(remove(l, "k"))
			after := a.start(l, "k")
			a.wantCalls(s, 2)
			open()
			if g := a.receive(before); g.value != "k#1" {
				a.fatalf("the caller before Delete got %q, %v; want k#1", g.value, g.err)
			}
			if g := a.receive(after); g.value != "k#2" {
				a.fatalf("the caller after Delete got %q, %v; want k#2", g.value, g.err)
			}
			a.want(l, "k", "k#2")
			a.must(l.Delete(a.ctx, "k"))
		}
	},
}, {
	ID: "LOA-22", Rule: "with a Lease, a value whose load began before a Delete by another process is not stored",
	Why: "A permission that was revoked is served again until its entry expires.",
	run: func(a *attempt) {
		a.needsLeases()
		s := newSource()
		l := a.loader(a.one, loader.Policy{Fresh: long, Lease: time.Minute}, s.load)
		open := s.shut()
		before := a.start(l, "k")
		a.wantCalls(s, 1)
		_, err := a.other.Delete(a.ctx, "k")
		a.must(err)
		open()
		a.receive(before)
		a.want(l, "k", "k#2")
		a.want(l, "k", "k#2")
	},
}, {
	ID: "LOA-23", Rule: "a value whose load in the background began before a Delete by another process is not stored",
	Why: "A permission that was revoked is served again until its entry expires.",
	run: func(a *attempt) {
		a.needsSwap()
		s := newSource()
		l := a.loader(a.one, loader.Policy{Fresh: long, Stale: long}, s.load)
		stale := func(key, value string) (open func()) {
			calls := s.count()
			a.want(l, key, value)
			a.must(l.Expire(a.ctx, key))
			open = s.shut()
			a.want(l, key, value)
			a.wantCalls(s, calls+2)
			_, err := a.other.Delete(a.ctx, key)
			a.must(err)
			return open
		}
		stale("k", "k#1")()
		time.Sleep(settle)
		if ok, err := a.one.Has(a.ctx, "k"); ok || err != nil {
			a.fatalf("Has = %v, %v: the load that began before the Delete was stored", ok, err)
		}
		a.want(l, "k", "k#3")

		openFirst := stale("joined", "joined#4")
		openSecond := s.shut()
		after := a.start(l, "joined") // does not join the load that began before
		a.wantCalls(s, 6)
		openFirst()
		openSecond()
		if g := a.receive(after); g.value != "joined#6" {
			a.fatalf("the caller after Delete got %q, %v; want joined#6", g.value, g.err)
		}
		a.want(l, "joined", "joined#6")
	},
}, {
	ID: "LOA-40", Rule: "with a Lease, a Refresh wins over a load of another process that began before it",
	Why: "A program refreshes a value that it has just changed, and the old one is served until it expires.",
	run: func(a *attempt) {
		a.needsLeases()
		a.needsSwap()
		s := newSource()
		p := loader.Policy{Fresh: long, Stale: long, Lease: time.Minute}
		one, other := a.loader(a.one, p, s.load), a.loader(a.other, p, s.load)
		refresh := func(key string, endsFirst bool) {
			calls := s.count()
			want := fmt.Sprintf("%s#%d", key, calls+2)
			openFirst := s.shut()
			before := a.start(one, key)
			a.wantCalls(s, calls+1)
			openSecond := s.shut()
			refreshed := background(func() (string, error) { return other.Refresh(a.ctx, key) })
			a.wantCalls(s, calls+2)
			if endsFirst {
				openFirst()
				a.receive(before)
				time.Sleep(settle)
			}
			openSecond()
			if g := a.receive(refreshed); g.value != want || g.err != nil {
				a.fatalf("Refresh = %q, %v; want %s", g.value, g.err, want)
			}
			if !endsFirst {
				openFirst()
				a.receive(before)
				time.Sleep(settle)
			}
			a.want(one, key, want)
		}
		for i, endsFirst := range []bool{true, false} {
			key := []string{"a", "b"}[i]
			refresh(key, endsFirst)
			a.must(one.Expire(a.ctx, key))
			refresh(key, endsFirst)
		}
	},
}, {
	ID: "LOA-24", Rule: "with a Lease, a missing key is loaded once over all processes",
	Why: "Every expiry calls the source once for each process.",
	run: func(a *attempt) {
		a.needsLeases()
		s := newSource()
		p := loader.Policy{Fresh: long, Lease: time.Minute}
		one, other := a.loader(a.one, p, s.load), a.loader(a.other, p, s.load)
		open := s.shut()
		first, second := a.start(one, "k"), a.start(other, "k")
		a.wantCalls(s, 1)
		open()
		if g, h := a.receive(first), a.receive(second); g.value != "k#1" || h.value != "k#1" {
			a.fatalf("Get = %+v and %+v, want k#1", g, h)
		}
		a.wantCalls(s, 1)
	},
}, {
	ID: "LOA-25", Rule: "with a Lease, a stale value is loaded once over all processes",
	Why: "Every expiry calls the source once for each process.",
	run: func(a *attempt) {
		a.needsLeases()
		a.needsSwap()
		a.skipIfKept("values that are kept as they are have one process")
		s := newSource()
		p := loader.Policy{Fresh: long, Stale: long, Lease: time.Minute}
		one, other := a.expired(s, p), a.loader(a.other, p, s.load)
		open := s.shut()
		for range 3 {
			a.want(one, "k", "k#1")
			a.want(other, "k", "k#1")
		}
		a.wantCalls(s, 2)
		open()
		a.eventuallyGets(one, "k", "k#2")
		a.eventuallyGets(other, "k", "k#2")
		a.wantCalls(s, 2)
	},
}, {
	ID: "LOA-26", Rule: "if a process dies while it holds a lease, another one loads the key after Lease",
	Why: "A key is never loaded again after a process was killed.",
	run: func(a *attempt) {
		a.needsLeases()
		s := newSource()
		l := a.loader(a.one, loader.Policy{Fresh: long, Lease: time.Minute}, s.load)
		if _, _, token, err := a.other.Lease(a.ctx, "k", time.Second); token == "" || err != nil {
			a.fatalf("Lease = %q, %v", token, err)
		}
		a.want(l, "k", "k#1")
		a.want(l, "k", "k#1")
	},
}, {
	ID: "LOA-27", Rule: "a failed load ends its lease",
	Why: "After a failure no process loads the key until the lease ends.",
	run: func(a *attempt) {
		a.needsLeases()
		s := newSource()
		p := loader.Policy{Fresh: long, Stale: long, Lease: time.Minute}
		one, other := a.loader(a.one, p, s.load), a.loader(a.other, p, s.load)
		s.fail(errBroken)
		a.wantError(one, "k", errBroken)
		began := time.Now()
		s.fail(nil)
		a.want(other, "k", "k#2")
		if waited := time.Since(began); waited > p.Lease/2 {
			a.fatalf("the next load began after %v", waited)
		}
	},
}, {
	ID: "LOA-28", Rule: "a Loader replaces values that other code stored, and other readers reject its entries",
	Why: "After a program begins to use package loader, it serves the bytes of its old version as values, or the reverse.",
	run: func(a *attempt) {
		s := newSource()
		a.must(a.one.Set(a.ctx, "k", []byte(`"plain"`)))
		l := a.loader(a.one, loader.Policy{Fresh: long}, s.load)
		a.want(l, "k", "k#1")
		a.want(l, "k", "k#1")
		a.skipIfKept("the entries are Go values")
		if n, _, err := cache.Of[int](a.one).Get(a.ctx, "k"); !errors.Is(err, cache.ErrCorrupt) {
			a.fatalf("a view of integers got %d, %v; want ErrCorrupt", n, err)
		}
		if v, _, err := cache.Of[map[string]any](a.one).Get(a.ctx, "k"); !errors.Is(err, cache.ErrCorrupt) {
			a.fatalf("a view of maps got %v, %v; want ErrCorrupt", v, err)
		}
	},
}}
