package loader

import (
	"context"
	"errors"
	"fmt"
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

// If two Refreshes of one process overlap, no value from before the second one stays, also
// over a store that has neither leases nor compare-and-swap. Each returns what it has loaded.
func TestOverlappingRefreshes(t *testing.T) {
	for _, present := range []bool{false, true} {
		for _, first := range []time.Duration{10 * time.Second, 20 * time.Second} {
			for _, fails := range []bool{false, true} {
				t.Run(fmt.Sprintf("present %v, the first load takes %v, the second fails %v", present, first, fails), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { overlap(t, present, first, fails) })
				})
			}
		}
	}
}

// overlap begins a second Refresh, whose load takes 10 seconds, 5 seconds after the first.
func overlap(t *testing.T, present bool, first time.Duration, fails bool) {
	s := cachetest.NewStore()
	s.Fail("compare_and_swap", "", errors.ErrUnsupported)
	var source atomic.Int64
	var failing atomic.Bool
	l := New(cache.New(s), Policy{Fresh: time.Hour}, func(context.Context, string) (int64, error) {
		value := source.Load()
		if value == 1 {
			time.Sleep(first)
			return value, nil
		}
		time.Sleep(10 * time.Second)
		if failing.Load() {
			return 0, errSource
		}
		return value, nil
	})
	defer l.Close()
	atLeast := func(when string, want int64) {
		t.Helper()
		r, err := l.read(t.Context(), "k")
		if err != nil {
			t.Fatal(err)
		}
		if r.e != nil && r.e.value < want {
			t.Errorf("%d is stored after %s, want %d or nothing", r.e.value, when, want)
		}
	}
	if present {
		if _, err := l.Get(t.Context(), "k"); err != nil {
			t.Fatal(err)
		}
	}
	source.Store(1)
	var group sync.WaitGroup
	group.Go(func() {
		if got, err := l.Refresh(t.Context(), "k"); got != 1 || err != nil {
			t.Errorf("the first Refresh = %d, %v", got, err)
		}
		atLeast("the first Refresh", 1)
	})
	time.Sleep(5 * time.Second)
	source.Store(2)
	failing.Store(fails)
	got, err := l.Refresh(t.Context(), "k")
	failing.Store(false)
	group.Wait()
	if fails {
		if !errors.Is(err, errSource) {
			t.Errorf("the second Refresh = %d, %v", got, err)
		}
		atLeast("both", 1)
		return
	}
	if got != 2 || err != nil {
		t.Errorf("the second Refresh = %d, %v", got, err)
	}
	atLeast("both", 2)
	if got, err := l.Get(t.Context(), "k"); got != 2 || err != nil {
		t.Errorf("Get = %d, %v; want 2", got, err)
	}
}
