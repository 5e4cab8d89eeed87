package simple

import (
	"math"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// Expiry is exact in every state of the clock: ticking, without horizon, or idle.
func TestExpiryIsExact(t *testing.T) {
	for _, ttl := range []time.Duration{
		1, time.Microsecond, time.Millisecond, 3 * time.Millisecond, 999 * time.Millisecond, time.Second,
		1500 * time.Millisecond, 5 * time.Minute, 30 * 24 * time.Hour, 80 * 365 * 24 * time.Hour,
	} {
		for _, delay := range []time.Duration{0, 2 * time.Millisecond, 1001 * time.Millisecond, time.Hour} {
			t.Run(ttl.String()+" after "+delay.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBackend(t, 0)
					must(t, b.Set(t.Context(), "other", nil, time.Second))
					b.Get(t.Context(), "other") // starts the timer
					time.Sleep(delay)
					must(t, b.Set(t.Context(), "key", nil, ttl))
					time.Sleep(ttl - 1)
					if ok, _ := b.Has(t.Context(), "key"); !ok {
						t.Error("expired 1 ns early")
					}
					if left, ok, _ := b.TTL(t.Context(), "key"); !ok || left != 1 {
						t.Errorf("TTL = %v, %v, want 1ns", left, ok)
					}
					time.Sleep(time.Nanosecond)
					if ok, _ := b.Has(t.Context(), "key"); ok {
						t.Error("present at its deadline")
					}
				})
			})
		}
	}
}

// A read at every step keeps the timer running.
func TestExpiryUnderUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackend(t, 0)
		const ttl = 2503 * time.Millisecond
		must(t, b.Set(t.Context(), "key", nil, ttl))
		begin := time.Now()
		for time.Since(begin) < 3*time.Second {
			ok, _ := b.Has(t.Context(), "key")
			if age := time.Since(begin); ok != (age < ttl) {
				t.Fatalf("Has = %v at the age of %v", ok, age)
			}
			time.Sleep(700 * time.Microsecond)
		}
	})
}

// A process that was stopped continues with a late timer. Every call that reads the
// time notices it: from then on expiry is exact again.
func TestExpiryAfterStop(t *testing.T) {
	for name, read := range map[string]func(b *Backend){
		"Set":             func(b *Backend) { b.Set(t.Context(), "other", nil, time.Hour) },
		"Add":             func(b *Backend) { b.Add(t.Context(), "another", nil, time.Hour) },
		"expired earlier": func(b *Backend) { b.Get(t.Context(), "short") },
		"tick":            func(b *Backend) { b.clock.tick() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBackend(t, 0)
				must(t, b.Set(t.Context(), "long", nil, time.Hour))
				must(t, b.Set(t.Context(), "key", nil, 3*time.Second))
				must(t, b.Set(t.Context(), "short", nil, time.Second))
				b.Has(t.Context(), "key") // starts the timer
				b.clock.timer.Stop()
				time.Sleep(5 * time.Second)
				read(b)
				for _, key := range []string{"key", "short"} {
					if ok, _ := b.Has(t.Context(), key); ok {
						t.Errorf("%s is present after its deadline", key)
					}
				}
				if ok, _ := b.Has(t.Context(), "long"); !ok {
					t.Error("long is absent")
				}
			})
		})
	}
}

func TestLongestTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackend(t, 0)
		time.Sleep(time.Hour)
		must(t, b.Set(t.Context(), "longest", nil, math.MaxInt64))
		must(t, b.Set(t.Context(), "never", nil, 0))
		for range 3 {
			if left, ok, _ := b.TTL(t.Context(), "longest"); !ok || left < 290*365*24*time.Hour {
				t.Errorf("longest: %v, %v", left, ok)
			}
			if left, ok, _ := b.TTL(t.Context(), "never"); !ok || left != 0 {
				t.Errorf("never: %v, %v", left, ok)
			}
			time.Sleep(24 * time.Hour)
		}
	})
}

// The timer runs while there are readers, stops without them, starts again with
// them, and stops for good with Close.
func TestTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackend(t, 0)
		state := func(want timerState, when string) {
			t.Helper()
			synctest.Wait()
			b.clock.mu.Lock()
			defer b.clock.mu.Unlock()
			if b.clock.state != want {
				t.Fatalf("%s: state %d, want %d", when, b.clock.state, want)
			}
		}
		must(t, b.Set(t.Context(), "never", nil, 0))
		must(t, b.Set(t.Context(), "key", nil, time.Hour))
		b.Has(t.Context(), "never")
		state(idle, "before a deadline was read")
		for range 2 {
			b.Has(t.Context(), "key")
			state(ticking, "after a read")
			for range 3000 {
				time.Sleep(time.Millisecond)
				b.Has(t.Context(), "key")
			}
			state(ticking, "under use")
			time.Sleep(1100 * time.Millisecond)
			state(idle, "without readers")
		}
		b.Has(t.Context(), "key")
		must(t, b.Close())
		b.Has(t.Context(), "key")
		state(closed, "after Close")
		if b.clock.timer.Stop() {
			t.Error("the timer runs after Close")
		}
	})
}

func TestNoGoroutineLeak(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 20 {
		b := newBackend(t, 0)
		for i := range 1000 {
			must(t, b.Set(t.Context(), string(rune(i)), nil, time.Minute))
			b.Get(t.Context(), string(rune(i)))
		}
		must(t, b.Close())
	}
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before { // a tick in progress ends by itself
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
		runtime.Gosched()
	}
}
