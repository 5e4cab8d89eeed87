package loader

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/cachetest"
)

// If the store rejects a value, other processes need not wait until the lease expires.
func TestRejectedFillReleasesItsLease(t *testing.T) {
	for name, options := range map[string][]cache.ViewOption{"encoded": nil, "kept": {cache.WithoutEncoding()}} {
		for _, settings := range [][]cache.Option{nil, {cache.WithIgnoreErrors()}} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := cachetest.NewStore()
					s.Fail("fill", "", cache.ErrTooLarge)
					l := New(cache.New(s, settings...), Policy{Fresh: time.Hour, Lease: time.Minute}, func(_ context.Context, key string) (string, error) {
						return key, nil
					}, options...)
					defer l.Close()
					if got, err := l.Get(t.Context(), "k"); got != "k" || err != nil {
						t.Errorf("Get = %q, %v", got, err)
					}
					synctest.Wait()
					if _, _, token, err := s.Lease(t.Context(), "k", time.Second); token == "" || err != nil {
						t.Errorf("Lease of another process: token %q, %v", token, err)
					}
				})
			})
		}
	}
}
