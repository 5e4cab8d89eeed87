package loader

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/cachetest"
)

// Callers that join a load that runs or has failed add nothing to it, because it does not
// call the store before load again.
func TestLimitsEndBeforeTheLoad(t *testing.T) {
	for name, hold := range map[string]time.Duration{"without a lease": 0, "with a lease": time.Minute} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				end := make(chan struct{})
				l := New(cache.New(cachetest.NewStore()), Policy{Fresh: time.Hour, Lease: hold, Backoff: time.Hour}, func(context.Context, string) (string, error) {
					<-end
					return "", errSource
				})
				defer l.Close()
				ctx, stop := context.WithTimeout(t.Context(), time.Minute)
				defer stop()
				var callers sync.WaitGroup
				get := func() {
					if _, err := l.Get(ctx, "k"); err != errSource {
						t.Errorf("Get: %v", err)
					}
				}
				want := func(when string) {
					t.Helper()
					l.flights.mu.Lock()
					defer l.flights.mu.Unlock()
					if n := len(l.flights.byKey["k"].batch.limits.deadlines); n != 0 {
						t.Errorf("%d limits %s, want none", n, when)
					}
				}
				for range 3 {
					callers.Go(get)
					synctest.Wait()
				}
				want("during the load")
				close(end)
				callers.Wait()
				get()
				want("after the load")
			})
		})
	}
}

// Callers that join a load that ends before it calls load add nothing to it.
func TestNoLimitsOfALoadThatHasFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(cache.New(hangs("lease")), Policy{Fresh: time.Hour, Lease: time.Minute, Limit: time.Second, Backoff: time.Hour}, constant)
		defer l.Close()
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		for range 3 {
			if _, err := l.Get(ctx, "k"); err != ErrLate {
				t.Errorf("Get: %v", err)
			}
		}
		l.flights.mu.Lock()
		defer l.flights.mu.Unlock()
		if n := len(l.flights.byKey["k"].batch.limits.deadlines); n > 1 {
			t.Errorf("%d limits, want that of the first caller", n)
		}
	})
}
