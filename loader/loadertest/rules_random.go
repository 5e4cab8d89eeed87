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
		a.needsLeases()
		a.needsSwap()
		rounds := 80
		if a.harness.Bubble {
			rounds = 400
		}
		for round := range rounds {
			a.invalidateAtRandom("k"+strconv.Itoa(round), round%2 == 0, round%4 < 2)
		}
	},
}}

// invalidateAtRandom lets two Loaders load key, which is stale or missing, while the
// source changes and key is invalidated, by a tag or by Delete. When all have ended, only
// the last version of the source may be stored.
func (a *attempt) invalidateAtRandom(key string, isStale, byTag bool) {
	pause := func() { time.Sleep(time.Duration(rand.IntN(10)) * time.Millisecond) }
	var version atomic.Int64
	load := func(ctx context.Context, _ string) (string, error) {
		if byTag {
			loader.Tag(ctx, key)
		}
		loaded := version.Load()
		pause()
		return strconv.FormatInt(loaded, 10), nil
	}
	p := loader.Policy{Fresh: long, Stale: long, Lease: time.Minute}
	one, other := a.loader(a.one, p, load), a.loader(a.other, p, load)
	if isStale {
		a.want(one, key, "0")
		a.must(one.Expire(a.ctx, key))
	}
	var mu sync.Mutex
	var failure error
	report := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			failure = err
		}
	}
	var group sync.WaitGroup
	for _, l := range []*loader.Loader[string]{one, other} {
		group.Go(func() {
			pause()
			_, err := l.Get(a.ctx, key)
			report(err)
		})
	}
	group.Go(func() {
		pause()
		version.Add(1)
		if byTag {
			report(loader.Invalidate(a.ctx, a.other, key))
		} else {
			_, err := a.other.Delete(a.ctx, key)
			report(err)
		}
	})
	group.Wait()
	report(one.Close())
	report(other.Close())
	a.must(failure)
	check := a.loader(a.one, p, func(context.Context, string) (string, error) { return "", errBroken })
	if value, err := check.Get(a.ctx, key); err == nil && value != fmt.Sprint(version.Load()) {
		a.fatalf("version %s is stored after the invalidation of version %d", value, version.Load())
	}
}
