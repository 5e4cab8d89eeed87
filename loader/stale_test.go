package loader

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/loader/internal/memory"
)

// Two processes load a key while a third changes the source and then invalidates the
// key, all at random times. Afterwards the store must not have a value that was loaded
// before the last invalidation. Over a store without leases and compare-and-swap, the
// same run finds such values, which shows that it can detect them.
func TestNoStaleFill(t *testing.T) {
	rounds := 2000
	if testing.Short() {
		rounds = 300
	}
	for name, test := range map[string]struct {
		lacks   bool
		options []cache.ViewOption
	}{
		"encoded":     {},
		"kept":        {options: []cache.ViewOption{cache.WithoutEncoding()}},
		"unprotected": {lacks: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				seed := rand.Uint64()
				r := rand.New(rand.NewPCG(seed, 0))
				stale := 0
				for round := range rounds {
					if found := staleFill(t, r, test.lacks, test.options); found != "" {
						if stale++; !test.lacks {
							t.Fatalf("seed %d, round %d: %s", seed, round, found)
						}
					}
				}
				if test.lacks && stale == 0 {
					t.Error("no stale value was found without leases: the test cannot find any")
				}
			})
		})
	}
}

// staleFill runs one round and returns a description of the value that is stale.
func staleFill(t *testing.T, r *rand.Rand, lacks bool, options []cache.ViewOption) string {
	ctx := t.Context()
	s := memory.New()
	s.Traits.NoLease, s.Traits.NoSwap = lacks, lacks
	s.Before = func(string, string) error { // a round trip
		time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond)
		return nil
	}
	const key = "k"
	var source atomic.Int64
	policy := Policy{Fresh: time.Duration(1 + r.IntN(40)), Stale: time.Hour, Rescue: time.Hour, Lease: time.Minute}
	policy.Fresh *= time.Millisecond
	load := func(ctx context.Context, _ string) (string, error) {
		Tag(ctx, "tag")
		version := source.Load()
		time.Sleep(time.Duration(rand.IntN(10)) * time.Millisecond)
		return strconv.FormatInt(version, 10), nil
	}
	var processes []*Loader[string]
	for range 2 {
		processes = append(processes, New(cache.New(s), policy, load, options...))
	}
	other := cache.New(s)
	invalidations := []func() error{
		func() error { _, err := other.Delete(ctx, key); return err },
		func() error { return other.Clear(ctx) },
		func() error { return Invalidate(ctx, other, "tag") },
		func() error { return processes[0].Delete(ctx, key) },
	}
	var group sync.WaitGroup
	for _, l := range processes {
		for range 2 {
			group.Go(func() {
				for range 3 {
					if _, err := l.Get(ctx, key); err != nil {
						t.Error(err)
					}
					time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
				}
			})
		}
	}
	order := r.Perm(len(invalidations))
	group.Go(func() {
		for _, i := range order[:1+r.IntN(3)] {
			time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
			source.Add(1)
			if err := invalidations[i](); err != nil {
				t.Error(err)
			}
		}
	})
	group.Wait()
	time.Sleep(time.Second) // loads in the background have ended
	for _, l := range processes {
		l.Close()
	}
	r0, err := processes[0].read(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	if r0.phase() == absent {
		return ""
	}
	if want := strconv.FormatInt(source.Load(), 10); r0.e.value != want {
		return fmt.Sprintf("version %s is stored after the invalidation of version %s", r0.e.value, want)
	}
	return ""
}
