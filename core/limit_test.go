package cache_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// Callers that join a load that runs add nothing to it, because it does not call the store.
func TestLimitsEndBeforeTheLoad(t *testing.T) {
	for name, options := range map[string][]cache.SetOption{"without a lease": nil, "with a lease": {cache.Lease(hold)}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := cache.New(newLeasing())
				end := make(chan struct{})
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				var callers sync.WaitGroup
				for range 3 {
					callers.Go(func() {
						got, err := cache.Of[string](c).GetOrSet(ctx, "k", func(context.Context) (string, error) { <-end; return "v", nil }, options...)
						if got != "v" || err != nil {
							t.Errorf("got %q, %v", got, err)
						}
					})
					synctest.Wait()
				}
				if n := cache.LimitsOf(c, "k"); n != 0 {
					t.Errorf("%d limits during the load, want none", n)
				}
				close(end)
				callers.Wait()
			})
		})
	}
}
