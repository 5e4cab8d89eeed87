package loader

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/cachetest"
)

// Several Refreshes and Gets of one key at once in two processes: after a Refresh, no value
// is served whose load began before it.
func TestRefreshesAndGetsAtOnce(t *testing.T) {
	rounds := 3000
	if testing.Short() {
		rounds = 500
	}
	for name, policy := range map[string]Policy{
		"fresh": {Fresh: time.Minute, Stale: time.Hour, Lease: time.Minute},
		"short": {Fresh: 2 * time.Second, Stale: time.Second, Rescue: time.Hour, Lease: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := cachetest.NewStore()
				s.OnCall(func(context.Context, string, string) error { time.Sleep(rand.N(300 * time.Millisecond)); return nil })
				var source atomic.Int64
				load := func(_ context.Context, key string) (int64, error) {
					time.Sleep(rand.N(time.Second))
					value := source.Load()
					time.Sleep(rand.N(2 * time.Second))
					return value, nil
				}
				var loaders []*Loader[int64]
				for range 2 {
					l := New(cache.New(s), policy, load)
					defer l.Close()
					loaders = append(loaders, l)
				}
				for round := range rounds {
					randomRefreshes(t, loaders, &source)
					if t.Failed() {
						t.Fatalf("round %d", round)
					}
					if rand.N(2) == 0 {
						if err := loaders[1].Delete(t.Context(), "k"); err != nil {
							t.Fatal(err)
						}
					}
					time.Sleep(rand.N(2 * time.Minute))
				}
			})
		})
	}
}

// randomRefreshes makes three callers in each process change the source and then refresh,
// expire or delete the key, or only get it, at random times.
func randomRefreshes(t *testing.T, loaders []*Loader[int64], source *atomic.Int64) {
	ctx := t.Context()
	// atLeast requires that no older value is stored, or only in a phase after worst.
	atLeast := func(op string, wrote int64, worst phase) {
		r, err := loaders[rand.N(2)].read(ctx, "k") // Get may return what its process is loading
		if p := r.phase(); err != nil || p != absent && p <= worst && r.e.value < wrote {
			t.Errorf("after %s the store has %d, phase %d, %v; want at least %d", op, r.e.value, p, err, wrote)
		}
	}
	var group sync.WaitGroup
	for _, l := range loaders {
		for range 3 {
			group.Go(func() {
				time.Sleep(rand.N(3 * time.Second))
				var wrote int64
				choice := rand.N(6)
				if choice > 0 {
					wrote = source.Add(1)
				}
				switch choice {
				case 0:
				case 1:
					if err := l.Expire(ctx, "k"); err != nil {
						t.Error(err)
					}
					atLeast("Expire", wrote, fresh)
					wrote = 0
				case 2:
					if err := l.Delete(ctx, "k"); err != nil {
						t.Error(err)
					}
					atLeast("Delete", wrote, rescuable)
				default:
					if got, err := l.Refresh(ctx, "k"); got < wrote || err != nil {
						t.Errorf("Refresh = %d, %v; want at least %d", got, err, wrote)
					}
					atLeast("Refresh", wrote, rescuable)
				}
				if got, err := l.Get(ctx, "k"); got < wrote || err != nil {
					t.Errorf("Get = %d, %v; want at least %d", got, err, wrote)
				}
			})
		}
	}
	group.Wait()
	wrote := source.Add(1)
	if got, err := loaders[0].Refresh(ctx, "k"); got != wrote || err != nil {
		t.Errorf("the last Refresh = %d, %v; want %d", got, err, wrote)
	}
	if got, err := loaders[1].Get(ctx, "k"); got != wrote || err != nil {
		t.Errorf("Get after the last Refresh = %d, %v; want %d", got, err, wrote)
	}
}

// A Refresh that another process overtakes leaves no value from before itself: neither
// while the other one loads, nor if that fails.
func TestRefreshOverRefresh(t *testing.T) {
	for name, options := range map[string][]cache.ViewOption{"encoded": nil, "kept": {cache.WithoutEncoding()}} {
		for _, fails := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := cachetest.NewStore()
					policy := Policy{Fresh: time.Hour, Stale: time.Hour, Lease: time.Minute}
					var source, failing atomic.Int64
					broken := errors.New("the source is down")
					load := func(context.Context, string) (int64, error) {
						value := source.Load()
						time.Sleep(10 * time.Second)
						if failing.Load() > 0 {
							return 0, broken
						}
						return value, nil
					}
					one, two := New(cache.New(s), policy, load, options...), New(cache.New(s), policy, load, options...)
					defer one.Close()
					defer two.Close()
					want := func(when string, value int64) {
						t.Helper()
						for _, l := range []*Loader[int64]{one, two} {
							if got, err := l.Get(t.Context(), "k"); got != value || err != nil {
								t.Errorf("Get %s = %d, %v; want %d", when, got, err, value)
							}
						}
					}
					want("before", 0)
					source.Store(1)
					var group sync.WaitGroup
					group.Go(func() {
						if got, err := one.Refresh(t.Context(), "k"); got != 1 || err != nil {
							t.Errorf("Refresh = %d, %v; want 1", got, err)
						}
						want("after the first Refresh", 1)
					})
					time.Sleep(5 * time.Second)
					source.Store(2)
					_, err := func() (int64, error) {
						if fails {
							time.AfterFunc(6*time.Second, func() { failing.Store(1) })
						}
						return two.Refresh(t.Context(), "k")
					}()
					group.Wait()
					last := int64(2)
					if fails {
						last = 1
						if !errors.Is(err, broken) {
							t.Errorf("the second Refresh: %v", err)
						}
					} else if err != nil {
						t.Error(err)
					}
					want("after both", last)
				})
			})
		}
	}
}
