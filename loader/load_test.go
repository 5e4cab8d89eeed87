package loader

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/cachetest"
)

// crowd is 64 callers in each of 4 processes, which ask for one key in a loop.
type crowd struct {
	policy Policy
	load   func() (string, error)

	mu     sync.Mutex
	loads  int
	errors int
	waited []time.Duration // of each call
	oldest time.Duration   // maximum age of the values that were served
}

func (c *crowd) run(t *testing.T, seconds int) {
	const processes, callers = 4, 64
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		s := cachetest.NewStore()
		begin := time.Now()
		var group sync.WaitGroup
		for range processes {
			l := New(cache.New(s), c.policy, func(ctx context.Context, key string) (time.Time, error) {
				c.mu.Lock()
				c.loads++
				c.mu.Unlock()
				began := time.Now()
				time.Sleep(50 * time.Millisecond)
				_, err := c.load()
				return began, err
			})
			defer l.Close()
			for range callers {
				group.Go(func() {
					for time.Since(begin) < time.Duration(seconds)*time.Second {
						asked := time.Now()
						loaded, err := l.Get(ctx, "k")
						c.mu.Lock()
						c.waited = append(c.waited, time.Since(asked))
						if err != nil {
							c.errors++
						} else {
							c.oldest = max(c.oldest, time.Since(loaded))
						}
						c.mu.Unlock()
						time.Sleep(100 * time.Millisecond)
					}
				})
			}
		}
		group.Wait()
	})
}

func works() (string, error) { return "value", nil }

// With a lease, each expiry causes one load over all processes. Without a lease, it causes
// one load in each process.
func TestLoadsPerExpiry(t *testing.T) {
	const seconds, fresh = 20, time.Second
	for name, test := range map[string]struct {
		policy    Policy
		most      int // loads
		least     int
		mayWait   bool
		oldestAge time.Duration
	}{
		"lease":           {Policy{Fresh: fresh, Lease: 10 * time.Second}, seconds, seconds / 2, true, fresh},
		"lease and Stale": {Policy{Fresh: fresh, Stale: time.Minute, Lease: 10 * time.Second}, seconds, seconds / 2, false, 2 * fresh},
		"no lease":        {Policy{Fresh: fresh}, 4 * seconds, 4 * seconds / 2, true, fresh},
	} {
		t.Run(name, func(t *testing.T) {
			c := crowd{policy: test.policy, load: works}
			c.run(t, seconds)
			if c.loads > test.most || c.loads < test.least {
				t.Errorf("%d loads in %d lives, want %d to %d", c.loads, seconds, test.least, test.most)
			}
			slow := 0
			for _, d := range c.waited {
				if d > 0 {
					slow++
				}
			}
			if first := 4 * 64; !test.mayWait && slow > first {
				t.Errorf("%d callers waited after the first load", slow-first)
			}
			if c.errors > 0 || c.oldest > test.oldestAge {
				t.Errorf("%d errors, the oldest value was %v old, want at most %v", c.errors, c.oldest, test.oldestAge)
			}
			t.Logf("%d loads, %d of %d calls waited, oldest value %v", c.loads, slow, len(c.waited), c.oldest)
		})
	}
}

// During an outage of the source no caller gets an error, and each process calls the
// source once per Backoff.
func TestOutage(t *testing.T) {
	const seconds, backoff = 60, 5 * time.Second
	var calls atomic.Int32
	c := crowd{
		policy: Policy{Fresh: time.Second, Stale: 10 * time.Second, Rescue: time.Hour, Backoff: backoff, Lease: 10 * time.Second},
		load: func() (string, error) {
			if calls.Add(1) > 1 {
				return "", errSource
			}
			return "value", nil
		},
	}
	c.run(t, seconds)
	if c.errors > 0 {
		t.Errorf("%d errors", c.errors)
	}
	if most := 1 + 4*(seconds/int(backoff/time.Second)+1); c.loads > most {
		t.Errorf("%d loads, want at most %d", c.loads, most)
	}
	t.Logf("%d loads, %d calls, oldest value %v", c.loads, len(c.waited), c.oldest)
}

// One miss is one miss for the observer, and a hit is one hit.
func TestEvents(t *testing.T) {
	for name, options := range map[string][]cache.ViewOption{
		"encoded": nil,
		"kept":    {cache.WithoutEncoding()},
	} {
		t.Run(name, func(t *testing.T) {
			var hits, misses atomic.Int32
			c := cache.New(cachetest.NewStore(), cache.WithObserver(func(_ context.Context, e cache.Event) {
				hits.Add(int32(e.Hits))
				misses.Add(int32(e.Misses))
			}))
			l := New(c, Policy{Fresh: time.Hour, Lease: time.Second}, constant, options...)
			defer l.Close()
			for i := range 3 {
				if _, err := l.Get(t.Context(), "k"); err != nil {
					t.Fatal(err)
				}
				if misses.Load() != 1 || hits.Load() != int32(i) {
					t.Errorf("after %d calls: %d hits and %d misses", i+1, hits.Load(), misses.Load())
				}
			}
		})
	}
}

// A failed read does not start a second load of a key that is being loaded.
func TestFailedReadJoinsLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := cachetest.NewStore()
		var loads atomic.Int32
		l := testLoader(t, s, Policy{Fresh: time.Second, Stale: time.Hour}, func(ctx context.Context, key string) (string, error) {
			loads.Add(1)
			time.Sleep(time.Second)
			return key, nil
		})
		get := func() {
			t.Helper()
			if _, err := l.Get(t.Context(), "k"); err != nil {
				t.Error(err)
			}
		}
		get()
		time.Sleep(time.Second)
		get() // starts a load behind the stale answer
		synctest.Wait()
		s.Fail("", "", cache.ErrUnavailable)
		get()
		if loads.Load() != 2 {
			t.Errorf("%d loads, want 2", loads.Load())
		}
	})
}
