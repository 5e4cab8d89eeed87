package loadertest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cachebackends/cachebackends/loader"
)

var randomRules = []Rule{{
	ID: "LOA-39", Rule: "with a Lease, at random interleavings, a value that was loaded before an invalidation is not stored",
	Why: "A permission that was revoked is served again until its entry expires, once in a million requests.",
	run: func(a *attempt) {
		a.atRandom(80, func(key string, round int) { a.invalidateAtRandom(key, round%2 == 0, round%4 < 2) })
	},
}, {
	ID: "LOA-41", Rule: "with a Lease, at random interleavings, no value is stored that is older than a Refresh that has ended",
	Why: "Several processes refresh a value after one change, and one of them puts the old value back.",
	run: func(a *attempt) {
		a.atRandom(40, func(key string, round int) { a.refreshAtRandom(key, round%2 == 0) })
	},
}}

// atRandom calls try in rounds of their own keys, more in a bubble, where they take no time.
func (a *attempt) atRandom(rounds int, try func(key string, round int)) {
	a.needsLeases()
	a.needsSwap()
	if a.harness.Bubble {
		rounds = 400
	}
	for round := range rounds {
		try("k"+strconv.Itoa(round), round)
	}
}

func pauseAtRandom() { time.Sleep(time.Duration(rand.IntN(10)) * time.Millisecond) }

// failures collects the errors of concurrent calls.
type failures struct {
	mu   sync.Mutex
	last error
}

func (f *failures) report(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.last = err
	}
}

// refreshAtRandom makes two callers in each of two Loaders change the source and refresh key.
// Afterwards no caller may find a value from before its change.
func (a *attempt) refreshAtRandom(key string, isPresent bool) {
	var version atomic.Int64
	load := func(context.Context, string) (string, error) {
		pauseAtRandom()
		loaded := version.Load()
		pauseAtRandom()
		return strconv.FormatInt(loaded, 10), nil
	}
	p := loader.Policy{Fresh: long, Stale: long, Lease: time.Minute}
	one, other := a.loader(a.one, p, load), a.loader(a.other, p, load)
	if isPresent {
		a.want(one, key, "0")
	}
	// A Loader that cannot load returns what is stored.
	stored := a.loader(a.other, p, func(context.Context, string) (string, error) { return "", errBroken })
	var failed failures
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			l := []*loader.Loader[string]{one, other}[i%2]
			pauseAtRandom()
			wrote := version.Add(1)
			check := func(call string, value string, err error) {
				if n, _ := strconv.ParseInt(value, 10, 64); err == nil && n < wrote {
					err = fmt.Errorf("%s returned version %s after a Refresh of version %d", call, value, wrote)
				}
				failed.report(err)
			}
			value, err := l.Refresh(a.ctx, key)
			check("Refresh", value, err)
			value, err = l.Get(a.ctx, key)
			check("Get", value, err)
			if value, err = stored.Get(a.ctx, key); err == nil {
				check("Get of the other process", value, nil)
			}
		})
	}
	group.Wait()
	for _, l := range []*loader.Loader[string]{one, other, stored} {
		failed.report(l.Close())
	}
	a.must(failed.last)
}

// invalidateAtRandom lets two Loaders load key, which is stale or missing, while the
// source changes and key is invalidated, by a tag or by Delete. When all have ended, only
// the last version of the source may be stored.
func (a *attempt) invalidateAtRandom(key string, isStale, byTag bool) {
	var version atomic.Int64
	load := func(ctx context.Context, _ string) (string, error) {
		if byTag {
			loader.Tag(ctx, key)
		}
		loaded := version.Load()
		pauseAtRandom()
		return strconv.FormatInt(loaded, 10), nil
	}
	p := loader.Policy{Fresh: long, Stale: long, Lease: time.Minute}
	one, other := a.loader(a.one, p, load), a.loader(a.other, p, load)
	if isStale {
		a.want(one, key, "0")
		a.must(one.Expire(a.ctx, key))
	}
	var failed failures
	var group sync.WaitGroup
	for _, l := range []*loader.Loader[string]{one, other} {
		group.Go(func() {
			pauseAtRandom()
			_, err := l.Get(a.ctx, key)
			failed.report(err)
		})
	}
	group.Go(func() {
		pauseAtRandom()
		version.Add(1)
		if byTag {
			failed.report(loader.Invalidate(a.ctx, a.other, key))
		} else {
			_, err := a.other.Delete(a.ctx, key)
			failed.report(err)
		}
	})
	group.Wait()
	failed.report(one.Close())
	failed.report(other.Close())
	a.must(failed.last)
	check := a.loader(a.one, p, func(context.Context, string) (string, error) { return "", errBroken })
	if value, err := check.Get(a.ctx, key); err == nil && value != fmt.Sprint(version.Load()) {
		a.fatalf("version %s is stored after the invalidation of version %d", value, version.Load())
	}
}
