package cache_test

import (
	"context"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

// fullStore is a store that has no room for what fills a lease.
type fullStore struct{ *leasing }

func (fullStore) Fill(context.Context, string, string, []byte, time.Duration) (bool, error) {
	return false, cache.ErrFull
}

func (fullStore) FillValue(context.Context, string, string, any, time.Duration) (bool, error) {
	return false, cache.ErrFull
}

// If the store rejects a value, other processes need not wait until the lease expires.
func TestRejectedFillReleasesItsLease(t *testing.T) {
	want := func(t *testing.T, store *leasing, err error) {
		t.Helper()
		must(t, err)
		if len(store.leases) != 0 || store.asked.Load() != 1 {
			t.Errorf("%d leases after %d calls of Lease, want none after one", len(store.leases), store.asked.Load())
		}
	}
	t.Run("encoded", func(t *testing.T) {
		store := newLeasing()
		_, err := cache.Of[string](cache.New(fullStore{store})).GetOrSet(t.Context(), "k", func(context.Context) (string, error) { return "v", nil }, cache.Lease(hold))
		want(t, store, err)
	})
	t.Run("without encoding", func(t *testing.T) {
		store := newLeasing()
		_, err := cache.Of[string](cache.New(fullStore{store}), cache.WithoutEncoding()).GetOrSet(t.Context(), "k", func(context.Context) (string, error) { return "v", nil }, cache.Lease(hold))
		want(t, store, err)
	})
	t.Run("not encodable", func(t *testing.T) {
		store := newLeasing()
		backend := &struct {
			*fake
			driver.Leaser
			driver.ValueKeeper
		}{store.fake, store, driver.Resolve(newFake())}
		_, err := cache.Of[chan int](cache.New(backend), cache.WithoutEncoding()).GetOrSet(t.Context(), "k", func(context.Context) (chan int, error) { return make(chan int), nil }, cache.Lease(hold))
		want(t, store, err)
	})
}
