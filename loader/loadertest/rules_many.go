package loadertest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/loader"
)

// text prints results: a value, or - for none.
func text(results []cache.Result[string]) string {
	var all []string
	for _, r := range results {
		if !r.OK {
			r.Value = "-" + r.Value
		}
		all = append(all, r.Value)
	}
	return fmt.Sprint(all)
}

var manyRules = []Rule{{
	ID: "LOA-29", Rule: "GetMany loads missing keys in one call, and each key once even if batches overlap",
	Why: "A page with a hundred items makes a hundred queries, and two pages query the same items twice.",
	run: func(a *attempt) {
		s := newSource()
		l := a.many(loader.Policy{Fresh: long}, s.loadMany)
		open := s.shut()
		outcomes := make(chan string, 2)
		get := func(keys ...string) {
			results, err := l.GetMany(a.ctx, keys...)
			outcomes <- fmt.Sprint(text(results), " ", err)
		}
		go get("c", "a", "b", "a")
		a.wantCalls(s, 1)
		go get("b", "c", "d")
		a.wantCalls(s, 2)
		open()
		all := []string{<-outcomes, <-outcomes}
		slices.Sort(all)
		if want := []string{"[b#1 c#1 d#2] <nil>", "[c#1 a#1 b#1 a#1] <nil>"}; !reflect.DeepEqual(all, want) {
			a.fatalf("GetMany = %v, want %v", all, want)
		}
		for _, key := range []string{"a", "b", "c", "d"} {
			if n := s.countOf(key); n != 1 {
				a.fatalf("%s was loaded %d times", key, n)
			}
		}
		a.want(l, "a", "a#1")
		if results, err := l.GetMany(a.ctx); len(results) != 0 || err != nil {
			a.fatalf("GetMany of no keys = %v, %v", results, err)
		}
	},
}, {
	ID: "LOA-30", Rule: "GetMany names the keys that failed and returns the others",
	Why: "One bad record fails a whole page, or appears to be missing.",
	run: func(a *attempt) {
		calls := 0
		l := a.many(loader.Policy{Fresh: long, Missing: long}, func(_ context.Context, keys []string) (map[string]string, error) {
			calls++
			var failed cache.BatchError
			if slices.Contains(keys, "bad") {
				failed.Fail("bad", errBroken)
			}
			return map[string]string{"good": "value"}, failed.ErrorOrNil()
		})
		for range 2 {
			results, err := l.GetMany(a.ctx, "good", "bad", "missing", "bad")
			var batch *cache.BatchError
			if !errors.As(err, &batch) || len(batch.Failed) != 1 || batch.Failed[0].Key != "bad" || !errors.Is(err, errBroken) {
				a.fatalf("GetMany returned %v, want a BatchError that names bad once", err)
			}
			if got := text(results); got != "[value - - -]" {
				a.fatalf("GetMany = %s", got)
			}
		}
		if calls != 2 {
			a.fatalf("%d calls, want 2: one for all, one for bad", calls)
		}
		a.wantError(l, "missing", loader.ErrMissing)
		all := a.many(loader.Policy{Fresh: long}, func(context.Context, []string) (map[string]string, error) {
			return map[string]string{"x": "value"}, errBroken
		})
		results, err := all.GetMany(a.ctx, "x", "y")
		if got := text(results); got != "[value -]" || !errors.Is(err, errBroken) {
			a.fatalf("GetMany = %s, %v", got, err)
		}
	},
}, {
	ID: "LOA-31", Rule: "GetMany serves stale and rescued values as Get does",
	Why: "A batch waits for the source, or fails, although Get of each key would not.",
	run: func(a *attempt) {
		s := newSource()
		l := a.many(loader.Policy{Fresh: long, Stale: long}, s.loadMany)
		want := func(l *loader.Loader[string], want string) {
			results, err := l.GetMany(a.ctx, "a", "b")
			if got := text(results); got != want || err != nil {
				a.fatalf("GetMany = %s, %v; want %s", got, err, want)
			}
		}
		want(l, "[a#1 b#1]")
		a.must(l.Expire(a.ctx, "a"))
		open := s.shut()
		want(l, "[a#1 b#1]")
		a.wantCalls(s, 2)
		open()
		a.eventuallyGets(l, "a", "a#2")
		l = a.many(loader.Policy{Fresh: long, Rescue: long}, s.loadMany)
		a.must(l.Delete(a.ctx, "a", "b"))
		want(l, "[a#3 b#3]")
		a.must(l.Expire(a.ctx, "b"))
		s.fail(errBroken)
		want(l, "[a#3 b#3]")
	},
}, {
	ID: "LOA-32", Rule: "Warm loads keys that are not fresh in batches and names those that failed",
	Why: "The first requests after a deployment all wait for the source.",
	run: func(a *attempt) {
		const keys = 250
		s := newSource()
		l := a.many(loader.Policy{Fresh: long}, s.loadMany)
		a.want(l, "7", "7#1")
		all := func(yield func(string) bool) {
			for i := range keys {
				if !yield(fmt.Sprint(i)) {
					return
				}
			}
		}
		a.must(l.Warm(a.ctx, all))
		a.wantCalls(s, 4)
		a.must(l.Warm(a.ctx, all))
		a.wantCalls(s, 4)
		a.want(l, "7", "7#1")
		a.want(l, "249", "249#4")
		s.fail(errBroken)
		if err := l.Warm(a.ctx, slices.Values([]string{"7", "new"})); !errors.Is(err, errBroken) {
			a.fatalf("Warm = %v, want %v", err, errBroken)
		}
	},
}}
