package cache_test

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// copyingLeases is a store with leases that shares no memory.
type copyingLeases struct{ *leasing }

func (copyingLeases) CopiesValues() bool { return true }

func (c copyingLeases) Lease(ctx context.Context, key string, hold time.Duration) (value []byte, ok bool, token string, err error) {
	value, ok, token, err = c.leasing.Lease(ctx, key, hold)
	return bytes.Clone(value), ok, token, err
}

// gated is a context whose deadline is asked for by calls that wait at a gate.
type gated struct {
	context.Context
	wait func()
}

func (g gated) Deadline() (time.Time, bool) {
	g.wait()
	return g.Context.Deadline()
}

// Callers that share a value which another process has stored share no memory.
func TestSharedValueOfAnotherProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := copyingLeases{newLeasing()}
		var isFound atomic.Bool
		written := make(chan struct{})
		store.ask = func(ctx context.Context) error {
			time.Sleep(time.Second)
			isFound.Store(true)
			return store.Set(ctx, "k", []byte("value"), 0)
		}
		view := cache.Of[[]byte](cache.New(store))
		get := func(ctx context.Context) []byte {
			got, err := view.GetOrSet(ctx, "k", func(context.Context) ([]byte, error) {
				t.Error("loaded")
				return nil, nil
			}, cache.Lease(hold))
			if err != nil || string(got) != "value" {
				t.Errorf("got %q, %v", got, err)
			}
			return got
		}
		var callers sync.WaitGroup
		callers.Go(func() {
			copy(get(t.Context()), "other")
			close(written)
		})
		synctest.Wait()
		callers.Go(func() {
			get(gated{t.Context(), func() {
				if isFound.Load() {
					<-written // the first caller has taken the value and changed it
				}
			}})
		})
		callers.Wait()
	})
}
