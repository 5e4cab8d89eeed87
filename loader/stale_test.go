package loader

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/cachetest"
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
	s := cachetest.NewStore()
	if lacks {
		s.Fail("lease", "", errors.ErrUnsupported)
		s.Fail("compare_and_swap", "", errors.ErrUnsupported)
	}
	s.OnCall(func(context.Context, string, string) error { // a round trip
		time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond)
		return nil
	})
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

// A load in the background does not use the memory of the caller's key.
func TestRefreshKeepsItsOwnKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := cache.New(cachetest.NewStore())
		release := make(chan struct{}, 2)
		var loaded []string
		l := New(c, Policy{Fresh: time.Second, Stale: time.Hour}, func(_ context.Context, key string) (string, error) {
			<-release
			loaded = append(loaded, strings.Clone(key))
			return "value", nil
		})
		defer l.Close()
		buffer := []byte("key-1")
		key := unsafe.String(&buffer[0], len(buffer))
		release <- struct{}{}
		for range 2 { // the second call gets a stale value and starts a load
			if _, err := l.Get(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		copy(buffer, "key-2")
		release <- struct{}{}
		synctest.Wait()
		if _, ok, err := c.Get(t.Context(), "key-2"); ok || err != nil || fmt.Sprint(loaded) != "[key-1 key-1]" {
			t.Errorf("loaded %q; key-2: %v, %v", loaded, ok, err)
		}
	})
}

// The end of Patience does not lengthen the Rescue phase.
func TestPatienceAfterRescue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pause := time.Duration(0)
		l := testLoader(t, cachetest.NewStore(), Policy{Fresh: time.Minute, Rescue: time.Minute, Patience: time.Minute}, func(context.Context, string) (string, error) {
			time.Sleep(pause)
			return pause.String(), nil
		})
		for _, pause = range []time.Duration{0, 2 * time.Minute} {
			if got, err := l.Get(t.Context(), "k"); got != pause.String() || err != nil {
				t.Errorf("Get = %q, %v; want %q", got, err, pause)
			}
			time.Sleep(2*time.Minute - time.Second)
		}
	})
}

// A missing value replaces an old one, also if its load takes longer than Missing.
func TestMissingReplaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failure error
		l := testLoader(t, cachetest.NewStore(), Policy{Fresh: time.Minute, Stale: time.Hour, Missing: time.Second}, func(_ context.Context, key string) (string, error) {
			time.Sleep(time.Minute)
			return key, failure
		})
		for _, failure = range []error{nil, ErrMissing} { // the second load runs behind the answer
			if _, err := l.Get(t.Context(), "k"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Minute)
		}
		if got, err := l.Get(t.Context(), "k"); !errors.Is(err, ErrMissing) {
			t.Errorf("Get = %q, %v; want %v", got, err, ErrMissing)
		}
	})
}

// A Refresh wins against a load of another process that began before it and ends during
// the load of the Refresh.
func TestRefreshOverProcesses(t *testing.T) {
	for _, name := range []string{"absent", "stale"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := cachetest.NewStore()
				policy := Policy{Fresh: time.Minute, Stale: time.Hour, Lease: time.Minute}
				var isNew atomic.Bool
				load := func(context.Context, string) (string, error) {
					value := "old"
					if isNew.Load() {
						value = "new"
					}
					time.Sleep(10 * time.Second)
					return value, nil
				}
				one, two := testLoader(t, s, policy, load), testLoader(t, s, policy, load)
				if name == "stale" {
					if _, err := one.Get(t.Context(), "k"); err != nil {
						t.Fatal(err)
					}
					time.Sleep(2 * time.Minute)
				}
				go one.Get(t.Context(), "k")
				time.Sleep(5 * time.Second)
				isNew.Store(true)
				if got, err := two.Refresh(t.Context(), "k"); got != "new" || err != nil {
					t.Errorf("Refresh = %q, %v", got, err)
				}
				if got, err := one.Get(t.Context(), "k"); got != "new" || err != nil {
					t.Errorf("Get = %q, %v; want new", got, err)
				}
			})
		})
	}
}

// After Expire a caller does not wait for a load of any process that began before.
func TestExpireDuringLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := cachetest.NewStore()
		var pause atomic.Int64
		policy := Policy{Fresh: time.Minute, Rescue: time.Hour, Lease: 30 * time.Second}
		load := func(context.Context, string) (string, error) {
			time.Sleep(time.Duration(pause.Load()))
			return "value", nil
		}
		one, two := testLoader(t, s, policy, load), testLoader(t, s, policy, load)
		if _, err := one.Get(t.Context(), "k"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		pause.Store(int64(20 * time.Second))
		go one.Get(t.Context(), "k")
		synctest.Wait()
		pause.Store(0)
		if err := two.Expire(t.Context(), "k"); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := two.Get(t.Context(), "k"); err != nil || time.Since(began) > 0 {
			t.Errorf("Get: %v after %v", err, time.Since(began))
		}
	})
}

// Over a store that limits the length of keys, also the longest stale keys are loaded by one
// process at a time.
func TestLeaseOfLongKey(t *testing.T) {
	const limit = 250 // of memcached
	synctest.Test(t, func(t *testing.T) {
		s := cachetest.NewStore()
		s.OnCall(func(_ context.Context, _, key string) error {
			if len(key) > limit {
				return cache.ErrInvalidKey
			}
			return nil
		})
		for length := 1; length <= limit; length++ {
			var loads atomic.Int64
			load := func(context.Context, string) (string, error) {
				loads.Add(1)
				time.Sleep(time.Second)
				return "value", nil
			}
			key := strings.Repeat("k", length)
			policy := Policy{Fresh: time.Minute, Stale: time.Hour, Lease: time.Minute}
			one, two := testLoader(t, s, policy, load), testLoader(t, s, policy, load)
			for range 2 {
				go one.Get(t.Context(), key)
				if _, err := two.Get(t.Context(), key); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Minute)
			}
			if n := loads.Load(); n != 2 {
				t.Fatalf("a key of %d bytes was loaded %d times by 2 processes, want once and again", length, n)
			}
		}
	})
	if a, b := leaseKey(strings.Repeat("k", 200)), leaseKey(strings.Repeat("k", 199)+"l"); a == b {
		t.Error("two keys have one lease")
	}
}
