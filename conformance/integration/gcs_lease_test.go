package integration

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/gcs"
)

// Many callers of two handles load a key after each of many invalidations. A value that was
// loaded before an invalidation is not stored after it.
func TestGCSLeases(t *testing.T) {
	busy(t)
	endpoint, newBucket := startGCS(t)
	newBucket("b")
	var handles [2]*gcs.Backend
	for i := range handles {
		b, err := gcs.New(t.Context(), gcs.Options{Bucket: "b", Endpoint: endpoint, Anonymous: true})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		handles[i] = b
	}
	ctx := t.Context()
	var source atomic.Int64
	var ended atomic.Bool
	var callers sync.WaitGroup
	var fills, refused atomic.Int64
	for i := range 8 {
		b := handles[i%2]
		callers.Go(func() {
			for !ended.Load() {
				_, ok, token, err := b.Lease(ctx, "k", time.Minute)
				if err != nil {
					t.Error(err)
					return
				}
				if ok || token == "" {
					continue
				}
				loaded := fmt.Sprint(source.Load())
				b.Has(ctx, "other") // takes as long as a round trip
				filled, err := b.Fill(ctx, "k", token, []byte(loaded), 0)
				if err != nil {
					t.Error(err)
				}
				if filled {
					fills.Add(1)
				} else {
					refused.Add(1)
				}
			}
		})
	}
	for range 300 {
		version := source.Add(1)
		if _, err := handles[0].Delete(ctx, "k"); err != nil {
			t.Error(err)
		}
		value, ok, err := handles[1].Get(ctx, "k")
		if err != nil || ok && string(value) != fmt.Sprint(version) {
			t.Errorf("Get after Delete %d = %q, %v", version, value, err)
		}
	}
	ended.Store(true)
	callers.Wait()
	if fills.Load() == 0 || refused.Load() == 0 {
		t.Errorf("%d fills, %d refused: the test shows nothing", fills.Load(), refused.Load())
	}
}
