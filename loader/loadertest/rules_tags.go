package loadertest

import (
	"context"
	"strings"
	"time"

	"github.com/cachebackends/cachebackends/loader"
)

// tagged returns a load that marks the entry of "red.a" with the tag "red".
func tagged(s *source) func(ctx context.Context, key string) (string, error) {
	return func(ctx context.Context, key string) (string, error) {
		tag, _, _ := strings.Cut(key, ".")
		loader.Tag(ctx, tag, "all")
		return s.load(ctx, key)
	}
}

var tagRules = []Rule{{
	ID: "LOA-33", Rule: "Invalidate removes all entries with one of the tags and no others",
	Why: "After a change of the source old values are served, or all values are loaded again.",
	run: func(a *attempt) {
		s := newSource()
		p := loader.Policy{Fresh: long, Stale: long, Rescue: long}
		one, other := a.loader(a.one, p, tagged(s)), a.loader(a.other, p, tagged(s))
		a.want(one, "red.a", "red.a#1")
		a.want(one, "blue.a", "blue.a#2")
		a.want(other, "red.a", "red.a#1")
		a.must(loader.Invalidate(a.ctx, a.other, "red", "unknown"))
		a.want(one, "red.a", "red.a#3")
		a.want(other, "red.a", "red.a#3")
		a.want(one, "blue.a", "blue.a#2")
		a.must(loader.Invalidate(a.ctx, a.one, "all"))
		a.want(other, "blue.a", "blue.a#4")
		s.fail(errBroken)
		a.must(loader.Invalidate(a.ctx, a.one, "all"))
		a.wantError(one, "red.a", errBroken) // not rescued
	},
}, {
	ID: "LOA-34", Rule: "an entry whose load began before an invalidation is not served",
	Why: "A value that was loaded before a change of the source is served until its entry expires.",
	run: func(a *attempt) {
		s := newSource()
		l := a.loader(a.one, loader.Policy{Fresh: long, Stale: long}, tagged(s))
		for range 2 { // for a new tag and for one that has a version
			n := s.count()
			open := s.shut()
			before := a.start(l, "red.a")
			a.wantCalls(s, n+1)
			a.must(loader.Invalidate(a.ctx, a.other, "red"))
			open()
			a.receive(before)
			a.eventually("a new load", func() bool {
				_, err := l.Get(a.ctx, "red.a")
				a.must(err)
				return s.count() == n+2
			})
			a.must(l.Delete(a.ctx, "red.a"))
		}
	},
}, {
	ID: "LOA-35", Rule: "if the store evicts the version of a tag, its entries are not served, and never again",
	Why: "Entries that were invalidated are served again when the store runs out of memory.",
	run: func(a *attempt) {
		s := newSource()
		l := a.loader(a.one, loader.Policy{Fresh: long}, tagged(s))
		a.want(l, "red.a", "red.a#1")
		a.want(l, "red.b", "red.b#2")
		_, err := a.one.Delete(a.ctx, "loader-tag:red")
		a.must(err)
		a.want(l, "red.a", "red.a#3") // stores a new version
		a.want(l, "red.b", "red.b#4")
		a.want(l, "red.a", "red.a#3")
	},
}, {
	ID: "LOA-36", Rule: "a batch marks each key with its own tags",
	Why: "After an invalidation of one record, all records of its batch are loaded again.",
	run: func(a *attempt) {
		s := newSource()
		l := a.many(loader.Policy{Fresh: long}, func(ctx context.Context, keys []string) (map[string]string, error) {
			for _, key := range keys {
				loader.Tag(loader.For(ctx, key), "tag-"+key)
				if key == "brief" {
					loader.Life(loader.For(ctx, key), short)
				}
				if key == "never" {
					loader.NoStore(loader.For(ctx, key))
				}
			}
			return s.loadMany(ctx, keys)
		})
		get := func(want string) {
			results, err := l.GetMany(a.ctx, "a", "b", "brief", "never")
			if got := text(results); got != want || err != nil {
				a.fatalf("GetMany = %s, %v; want %s", got, err, want)
			}
		}
		get("[a#1 b#1 brief#1 never#1]")
		a.must(loader.Invalidate(a.ctx, a.one, "tag-a"))
		past(short)
		time.Sleep(settle)
		get("[a#2 b#1 brief#2 never#2]")
	},
}}
