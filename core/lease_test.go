package cache_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

// leasing is a rich with leases, for bytes and for values. Its methods take no time.
type leasing struct {
	*rich
	leases map[string]grant
	asked  atomic.Int64
	ask    func(ctx context.Context) error // called by Lease, if not nil
}

type grant struct {
	token string
	end   time.Time
}

func newLeasing() *leasing { return &leasing{rich: newRich(), leases: map[string]grant{}} }

func (l *leasing) grant(ctx context.Context, key string, hold time.Duration, present func() bool) (token string, err error) {
	n := l.asked.Add(1)
	if l.ask != nil {
		if err := l.ask(ctx); err != nil {
			return "", err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if g, held := l.leases[key]; present() || held && time.Now().Before(g.end) {
		return "", nil
	}
	token = strconv.FormatInt(n, 10)
	l.leases[key] = grant{token, time.Now().Add(hold)}
	return token, nil
}

// use ends the lease of key and reports whether token was that lease.
func (l *leasing) use(key, token string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	g, held := l.leases[key]
	if !held || g.token != token || !time.Now().Before(g.end) {
		return false
	}
	delete(l.leases, key)
	return true
}

func (l *leasing) Lease(ctx context.Context, key string, hold time.Duration) (value []byte, ok bool, token string, err error) {
	token, err = l.grant(ctx, key, hold, func() bool { value, ok = l.data[key]; return ok })
	return value, ok, token, err
}

func (l *leasing) Fill(ctx context.Context, key, token string, value []byte, ttl time.Duration) (bool, error) {
	if !l.use(key, token) {
		return false, nil
	}
	return true, l.rich.Set(ctx, key, value, ttl)
}

func (l *leasing) Release(_ context.Context, key, token string) error {
	l.use(key, token)
	return nil
}

func (l *leasing) LeaseValue(ctx context.Context, key string, hold time.Duration) (value any, ok bool, token string, err error) {
	token, err = l.grant(ctx, key, hold, func() bool { value, ok = l.values[key]; return ok })
	return value, ok, token, err
}

func (l *leasing) FillValue(ctx context.Context, key, token string, value any, ttl time.Duration) (bool, error) {
	if !l.use(key, token) {
		return false, nil
	}
	return true, l.SetValue(ctx, key, value, ttl)
}

func (l *leasing) drop(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.leases, key)
}

func (l *leasing) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	l.drop(key)
	return l.rich.Set(ctx, key, value, ttl)
}

func (l *leasing) Delete(ctx context.Context, key string) (bool, error) {
	l.drop(key)
	return l.rich.Delete(ctx, key)
}

const hold = 10 * time.Second

// slowly is a load of 50 ms that counts its runs.
func slowly(runs *atomic.Int64, value string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		runs.Add(1)
		time.Sleep(50 * time.Millisecond)
		return value, nil
	}
}

func TestLeaseLoadsOnceOverAllCaches(t *testing.T) {
	for _, test := range []struct {
		name    string
		options []cache.SetOption
		view    []cache.ViewOption
		runs    int64
	}{
		{"without a lease", nil, nil, 4},
		{"with a lease", []cache.SetOption{cache.Lease(hold)}, nil, 1},
		{"without encoding", []cache.SetOption{cache.Lease(hold)}, []cache.ViewOption{cache.WithoutEncoding()}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newLeasing()
				var runs atomic.Int64
				var wait sync.WaitGroup
				for range 4 {
					view := cache.Of[string](cache.New(store), test.view...)
					for range 64 {
						wait.Go(func() {
							got, err := view.GetOrSet(t.Context(), "k", slowly(&runs, "v"), test.options...)
							if got != "v" || err != nil {
								t.Errorf("got %q, %v", got, err)
							}
						})
					}
				}
				wait.Wait()
				if runs.Load() != test.runs {
					t.Errorf("got %d loads, want %d", runs.Load(), test.runs)
				}
			})
		})
	}
}

// A value that was loaded before another process has removed the key is returned, but
// not stored.
func TestLeaseRefusesStaleValues(t *testing.T) {
	for _, test := range []struct {
		name    string
		options []cache.SetOption
		stored  bool
	}{
		{"without a lease", nil, true},
		{"with a lease", []cache.SetOption{cache.Lease(hold)}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			store := newLeasing()
			here, there := cache.New(store), cache.New(store)
			got, err := cache.Of[string](here).GetOrSet(t.Context(), "k", func(ctx context.Context) (string, error) {
				_, err := there.Delete(ctx, "k")
				return "old", err
			}, test.options...)
			if got != "old" || err != nil {
				t.Errorf("got %q, %v", got, err)
			}
			if _, ok, _ := here.Get(t.Context(), "k"); ok != test.stored {
				t.Errorf("stored: got %t, want %t", ok, test.stored)
			}
		})
	}
}

func TestFailedLoadReleasesItsLease(t *testing.T) {
	failure := errors.New("no source")
	for name, load := range map[string]func(context.Context) (string, error){
		"an error": func(context.Context) (string, error) { return "", failure },
		"a panic":  func(context.Context) (string, error) { panic(failure) },
	} {
		t.Run(name, func(t *testing.T) {
			store := newLeasing()
			func() {
				defer func() { _ = recover() }()
				_, _ = cache.Of[string](cache.New(store)).GetOrSet(t.Context(), "k", load, cache.Lease(hold))
			}()
			if _, _, token, err := store.Lease(t.Context(), "k", hold); token == "" || err != nil {
				t.Errorf("the lease afterwards: got token %q, %v, want a token", token, err)
			}
		})
	}
}

// holding is a store whose Release hangs until its context ends.
type holding struct {
	*leasing
	releases atomic.Int64
}

func (h *holding) Release(ctx context.Context, key, token string) error {
	h.releases.Add(1)
	<-ctx.Done()
	return ctx.Err()
}

// If Release hangs, a failed load returns its own error within half of the time that its
// caller has left, and within a second without a deadline.
func TestHangingReleaseAfterAFailedLoad(t *testing.T) {
	failure := errors.New("no source")
	for name, fail := range map[string]func() (string, error){
		"an error": func() (string, error) { return "", failure },
		"a panic":  func() (string, error) { panic(failure) },
	} {
		for _, deadline := range []time.Duration{0, time.Second} {
			t.Run(fmt.Sprint(name, " with the deadline ", deadline), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					store := &holding{leasing: newLeasing()}
					ctx, want := t.Context(), time.Second
					if deadline > 0 {
						var cancel context.CancelFunc
						ctx, cancel = context.WithTimeout(ctx, deadline)
						defer cancel()
						want = deadline / 2
					}
					began := time.Now()
					err := func() (err error) {
						defer func() {
							if p := recover(); p != nil {
								err, _ = p.(error)
							}
						}()
						_, err = cache.Of[string](cache.New(store)).GetOrSet(ctx, "k", func(context.Context) (string, error) { return fail() }, cache.Lease(hold))
						return err
					}()
					if took := time.Since(began); !errors.Is(err, failure) || took != want || store.releases.Load() != 1 {
						t.Errorf("got %v after %v and %d calls of Release, want %v after %v", err, took, store.releases.Load(), failure, want)
					}
					time.Sleep(time.Second) // until Release has ended
				})
			})
		}
	}
}

// A load whose value will not be stored, because of a write while it asked for the lease,
// begins although Release hangs.
func TestHangingReleaseBeforeALoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &holding{leasing: newLeasing()}
		c := cache.New(store)
		store.ask = func(context.Context) error {
			_, err := c.Delete(t.Context(), "k")
			return err
		}
		began := time.Now()
		loadedAfter := time.Duration(-1)
		got, err := cache.Of[string](c).GetOrSet(t.Context(), "k", func(context.Context) (string, error) {
			loadedAfter = time.Since(began)
			time.Sleep(3 * time.Second)
			return "v", nil
		}, cache.Lease(hold))
		if took := time.Since(began); got != "v" || err != nil || loadedAfter != 0 || took != 3*time.Second || store.releases.Load() != 1 {
			t.Errorf("got %q, %v after %v, the load began after %v, %d calls of Release", got, err, took, loadedAfter, store.releases.Load())
		}
	})
}

// A waiting load takes no longer than hold, if the holder dies and if the store gives no
// lease at all. In the second case its value is not stored.
func TestWaitForALeaseIsBounded(t *testing.T) {
	for _, test := range []struct {
		name     string
		heldFor  time.Duration
		isStored bool
	}{
		{"the holder died", hold, true},
		{"others always hold it", time.Hour, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newLeasing()
				if _, _, token, _ := store.Lease(t.Context(), "k", test.heldFor); token == "" {
					t.Fatal("no token")
				}
				c, start := cache.New(store), time.Now()
				got, err := cache.Of[string](c).GetOrSet(t.Context(), "k", func(context.Context) (string, error) { return "v", nil }, cache.Lease(hold))
				if took := time.Since(start); got != "v" || err != nil || took != hold {
					t.Errorf("got %q, %v after %v, want the value after %v", got, err, took, hold)
				}
				if _, ok, _ := c.Get(t.Context(), "k"); ok != test.isStored {
					t.Errorf("stored: got %t, want %t", ok, test.isStored)
				}
			})
		})
	}
}

func TestStoreWithoutLeases(t *testing.T) {
	rich := newRich()
	var unsupported int
	c := cache.New(rich, cache.WithObserver(func(_ context.Context, e cache.Event) {
		if errors.Is(e.Err, errors.ErrUnsupported) {
			unsupported++
		}
	}))
	for _, key := range []string{"a", "b"} {
		_, err := cache.Of[string](c).GetOrSet(t.Context(), key, func(context.Context) (string, error) { return "v", nil }, cache.Lease(hold))
		must(t, err)
		if _, ok, _ := c.Get(t.Context(), key); !ok {
			t.Errorf("%s was not stored", key)
		}
	}
	if unsupported != 1 {
		t.Errorf("the observer received ErrUnsupported %d times, want once", unsupported)
	}
}

// A backend that keeps values, but not those of leases, gets no lease for encoded bytes,
// which its view could not read.
func TestLeaseOfAViewWithoutEncoding(t *testing.T) {
	encoding := newLeasing()
	encoding.unsupported = errors.ErrUnsupported
	for name, backend := range map[string]driver.Backend{
		"values without leases": &struct {
			*rich
			driver.Leaser
		}{newRich(), newLeasing()},
		"wrapper over a store that encodes": &struct {
			*fake
			driver.Leaser
			driver.ValueKeeper
		}{encoding.fake, encoding, driver.Resolve(newFake())},
	} {
		t.Run(name, func(t *testing.T) {
			view := cache.Of[string](cache.New(backend), cache.WithoutEncoding())
			for range 2 {
				got, err := view.GetOrSet(t.Context(), "k", func(context.Context) (string, error) { return "v", nil }, cache.Lease(hold))
				if got != "v" || err != nil {
					t.Errorf("got %q, %v", got, err)
				}
			}
			if got, ok, err := view.Get(t.Context(), "k"); got != "v" || !ok || err != nil {
				t.Errorf("stored: got %q, %t, %v", got, ok, err)
			}
		})
	}
}

func TestHoldIsChecked(t *testing.T) {
	c := cache.New(newLeasing())
	for _, hold := range []time.Duration{-1, 0, driver.MaxHold + 1} {
		_, err := cache.Of[string](c).GetOrSet(t.Context(), "k", func(context.Context) (string, error) { return "v", nil }, cache.Lease(hold))
		if !errors.Is(err, cache.ErrInvalidTimeout) {
			t.Errorf("GetOrSet with %v: got %v, want ErrInvalidTimeout", hold, err)
		}
		if _, _, _, err := c.Lease(t.Context(), "k", hold); !errors.Is(err, cache.ErrInvalidTimeout) {
			t.Errorf("Lease of %v: got %v, want ErrInvalidTimeout", hold, err)
		}
	}
}

// A store that hangs in Lease leaves half of the caller's time to load.
func TestLoadRunsIfLeaseHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newLeasing()
		store.ask = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		got, err := cache.Of[string](cache.New(store)).GetOrSet(ctx, "k", func(context.Context) (string, error) { return "v", nil }, cache.Lease(hold))
		if took := time.Since(start); got != "v" || err != nil || took != time.Second/2 {
			t.Errorf("got %q, %v after %v, want the value after half a second", got, err, took)
		}
	})
}

// A caller with a deadline that joins a load without one, or with a later one, gets the
// value in its own time, also if the store hangs in Lease.
func TestJoinedLoadRunsIfLeaseHangs(t *testing.T) {
	for name, first := range map[string]time.Duration{"without a deadline": 0, "with a later deadline": time.Minute, "with an earlier deadline": 300 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newLeasing()
				var hung atomic.Value
				store.ask = func(ctx context.Context) error { <-ctx.Done(); hung.Store(ctx.Err()); return ctx.Err() }
				v := cache.Of[string](cache.New(store))
				load := func(context.Context) (string, error) { time.Sleep(time.Second / 5); return "v", nil }
				var callers sync.WaitGroup
				callers.Go(func() {
					ctx := t.Context()
					if first > 0 {
						var cancel context.CancelFunc
						ctx, cancel = context.WithTimeout(ctx, first)
						defer cancel()
					}
					if got, err := v.GetOrSet(ctx, "k", load, cache.Lease(hold)); (got != "v" || err != nil) && first != 300*time.Millisecond {
						t.Errorf("the first caller got %q, %v", got, err)
					}
				})
				synctest.Wait()
				time.Sleep(time.Second / 10)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				began := time.Now()
				got, err := v.GetOrSet(ctx, "k", load, cache.Lease(hold))
				want := time.Second/2 + time.Second/5
				if first == 300*time.Millisecond {
					want = first/2 - time.Second/10 + time.Second/5
				}
				if took := time.Since(began); got != "v" || err != nil || took != want {
					t.Errorf("got %q, %v after %v, want the value after %v", got, err, took, want)
				}
				callers.Wait()
				if err := hung.Load(); err != context.DeadlineExceeded {
					t.Errorf("the call of the store ended with %v", err)
				}
			})
		})
	}
}

// Waiting for another process is not the fault of the store: the caller may wait until
// its deadline.
func TestWaitingForALeaseTakesTheWholeDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newLeasing()
		_, _, token, _ := store.Lease(t.Context(), "k", hold)
		time.AfterFunc(900*time.Millisecond, func() { _, _ = store.Fill(context.Background(), "k", token, []byte("v"), 0) })
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		got, err := cache.Of[string](cache.New(store)).GetOrSet(ctx, "k", func(context.Context) (string, error) {
			t.Error("loaded, though the other process was about to store")
			return "", nil
		}, cache.Lease(hold))
		if got != "v" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

// A load that all callers have left releases a lease that it still got.
func TestAbandonedLoadReleasesItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newLeasing()
		store.ask = func(context.Context) error { time.Sleep(time.Second); return nil }
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second/2, cancel)
		_, err := cache.Of[string](cache.New(store)).GetOrSet(ctx, "k", func(context.Context) (string, error) {
			t.Error("a load ran without a caller")
			return "", nil
		}, cache.Lease(hold))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if len(store.leases) != 0 {
			t.Errorf("leases afterwards: %v", store.leases)
		}
	})
}

// After a Delete through the same cache, a caller starts a load of its own, though the
// load before it still runs.
func TestDeleteThroughTheSameCacheEndsTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := cache.New(newLeasing())
		view := cache.Of[string](c)
		go func() {
			_, _ = view.GetOrSet(context.Background(), "k", func(context.Context) (string, error) {
				time.Sleep(time.Minute)
				return "old", nil
			}, cache.Lease(hold))
		}()
		synctest.Wait()
		_, err := c.Delete(t.Context(), "k")
		must(t, err)
		start := time.Now()
		got, err := view.GetOrSet(t.Context(), "k", func(context.Context) (string, error) { return "new", nil }, cache.Lease(hold))
		if took := time.Since(start); got != "new" || err != nil || took != 0 {
			t.Errorf("got %q, %v after %v", got, err, took)
		}
		time.Sleep(time.Minute)
		if got, _, err := view.Get(t.Context(), "k"); got != "new" || err != nil {
			t.Errorf("stored: got %q, %v", got, err)
		}
	})
}

// Stored bytes that the codec cannot decode are loaded again and replaced.
func TestLeaseOverUndecodableBytes(t *testing.T) {
	c := cache.New(newLeasing())
	must(t, c.Set(t.Context(), "k", []byte("{")))
	view := cache.Of[int](c)
	got, err := view.GetOrSet(t.Context(), "k", func(context.Context) (int, error) { return 7, nil }, cache.Lease(hold))
	if got != 7 || err != nil {
		t.Errorf("got %d, %v", got, err)
	}
	if got, ok, err := view.Get(t.Context(), "k"); got != 7 || !ok || err != nil {
		t.Errorf("stored: got %d, %t, %v", got, ok, err)
	}
}

// One load under a lease is one miss for the observer.
func TestEventsOfALease(t *testing.T) {
	var ops []string
	var misses int
	c := cache.New(newLeasing(), cache.WithPrefix("p:"), cache.WithObserver(func(_ context.Context, e cache.Event) {
		ops = append(ops, e.Op)
		misses += e.Misses
	}))
	_, err := cache.Of[string](c).GetOrSet(t.Context(), "k", func(context.Context) (string, error) { return "v", nil }, cache.Lease(hold))
	must(t, err)
	if want := []string{"get", "lease", "load", "fill"}; !slices.Equal(ops, want) || misses != 1 {
		t.Errorf("got the events %q with %d misses, want %q and one miss", ops, misses, want)
	}
}

func TestLeaseOfCache(t *testing.T) {
	store := newLeasing()
	c, ctx := cache.New(store, cache.WithPrefix("p:")), t.Context()
	_, ok, token, err := c.Lease(ctx, "k", hold)
	if ok || token == "" || err != nil {
		t.Fatalf("Lease: got %t, %q, %v", ok, token, err)
	}
	must(t, c.Release(ctx, "k", "another"))
	if filled, err := c.Fill(ctx, "k", token, nil); !filled || err != nil {
		t.Errorf("Fill: got %t, %v", filled, err)
	}
	if value, ok, token, err := c.Lease(ctx, "k", hold); value == nil || !ok || token != "" || err != nil {
		t.Errorf("Lease of a present key: got %q, %t, %q, %v, want an empty value that is not nil", value, ok, token, err)
	}
	if filled, err := c.Fill(ctx, "k", token, nil); filled || err != nil {
		t.Errorf("Fill with a used token: got %t, %v", filled, err)
	}
	if _, err := c.CompareAndSwap(ctx, "k", nil, nil); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("CompareAndSwap: got %v, want ErrUnsupported", err)
	}
	if _, stored := store.data["p:k"]; !stored {
		t.Error("the prefix is missing")
	}
	for name, err := range map[string]error{
		"Fill":    errOf(c.Fill(ctx, "", token, nil)),
		"Release": c.Release(ctx, "", token),
		"Swap":    errOf(c.CompareAndSwap(ctx, "", nil, nil)),
	} {
		if !errors.Is(err, cache.ErrInvalidKey) {
			t.Errorf("%s of an empty key: got %v", name, err)
		}
	}
}

func errOf(_ bool, err error) error { return err }

var (
	_ driver.Leaser      = (*leasing)(nil)
	_ driver.ValueLeaser = (*leasing)(nil)
)

// lateLease gives a lease at once, and says so later. A call that is cut off does not learn
// of it.
type lateLease struct{ *leasing }

func (l lateLease) Lease(ctx context.Context, key string, hold time.Duration) (value []byte, ok bool, token string, err error) {
	value, ok, token, err = l.leasing.Lease(ctx, key, hold)
	select {
	case <-time.After(100 * time.Millisecond):
		return value, ok, token, err
	case <-ctx.Done():
		return nil, false, "", ctx.Err()
	}
}

// A load that all callers have left while it got its lease gives the lease back: nobody
// waits until it expires.
func TestCallersLeaveWhileLeasing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newLeasing()
		one, other := cache.New(lateLease{store}), cache.New(store)
		load := func(context.Context) (string, error) { return "loaded", nil }
		ctx, leave := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, leave)
		if _, err := cache.Of[string](one).GetOrSet(ctx, "k", load, cache.Lease(driver.MaxHold)); !errors.Is(err, context.Canceled) {
			t.Errorf("GetOrSet of a caller that leaves: %v", err)
		}
		began := time.Now()
		value, err := cache.Of[string](other).GetOrSet(t.Context(), "k", load, cache.Lease(driver.MaxHold))
		if value != "loaded" || err != nil || time.Since(began) > time.Second {
			t.Errorf("GetOrSet of another process = %q, %v after %v", value, err, time.Since(began))
		}
	})
}
