package loader

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/cachetest"
	"github.com/cachebackends/cachebackends/core/driver"
)

// hanging is a store whose operation op returns when its context ends.
type hanging struct {
	*driver.Operations
	op string
}

func hangs(op string) *hanging { return &hanging{driver.Resolve(cachetest.NewStore()), op} }

func (h *hanging) hang(ctx context.Context, op string) error {
	if op != h.op {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

func (h *hanging) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if err := h.hang(ctx, "get"); err != nil {
		return nil, false, err
	}
	return h.Operations.Get(ctx, key)
}

func (h *hanging) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	if err := h.hang(ctx, "get"); err != nil {
		return make([][]byte, len(keys)), err
	}
	return h.Operations.GetMany(ctx, keys)
}

func (h *hanging) Lease(ctx context.Context, key string, hold time.Duration) ([]byte, bool, string, error) {
	if err := h.hang(ctx, "lease"); err != nil {
		return nil, false, "", err
	}
	return h.Operations.Lease(ctx, key, hold)
}

func (h *hanging) Fill(ctx context.Context, key, token string, value []byte, ttl time.Duration) (bool, error) {
	if err := h.hang(ctx, "fill"); err != nil {
		return false, err
	}
	return h.Operations.Fill(ctx, key, token, value, ttl)
}

func (h *hanging) CompareAndSwap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	if err := h.hang(ctx, "swap"); err != nil {
		return false, err
	}
	return h.Operations.CompareAndSwap(ctx, key, old, value, ttl)
}

// Whatever operation of the store hangs, the load gets half of the time of its caller.
func TestHangingStore(t *testing.T) {
	policy := Policy{Fresh: time.Minute, Lease: 10 * time.Second}
	for _, op := range []string{"get", "lease", "fill"} {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithTimeout(t.Context(), time.Second)
				defer stop()
				one := New(cache.New(hangs(op)), policy, constant)
				defer one.Close()
				if op == "get" { // another load of the key ends during the read
					time.AfterFunc(100*time.Millisecond, func() { one.flights.counter("k").Add(1) })
				}
				began := time.Now()
				if got, err := one.Get(ctx, "k"); got != "value of k" || err != nil || time.Since(began) != time.Second/2 {
					t.Errorf("Get = %q, %v after %v", got, err, time.Since(began))
				}
			})
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithTimeout(t.Context(), time.Second)
				defer stop()
				many := NewMany(cache.New(hangs(op)), policy, func(_ context.Context, keys []string) (map[string]string, error) {
					return map[string]string{"a": "1", "b": "2"}, nil
				})
				defer many.Close()
				if got, err := many.GetMany(ctx, "a", "b"); err != nil || got[0].Value != "1" || got[1].Value != "2" {
					t.Errorf("GetMany = %v, %v", got, err)
				}
			})
		})
	}
}

func (h *hanging) Release(ctx context.Context, key, token string) error {
	if err := h.hang(ctx, "release"); err != nil {
		return err
	}
	return h.Operations.Release(ctx, key, token)
}

// Neither the callers of a load nor the next load wait for a Release that hangs. Close does.
func TestHangingRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(cache.New(hangs("release")), Policy{Fresh: time.Minute, Lease: 10 * time.Second, Loads: 1}, func(context.Context, string) (string, error) {
			return "", errSource
		})
		began := time.Now()
		for _, key := range []string{"a", "b"} {
			if _, err := l.Get(t.Context(), key); !errors.Is(err, errSource) {
				t.Errorf("Get(%q): %v", key, err)
			}
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("two failed loads took %v", took)
		}
		if err := l.Close(); err != nil || time.Since(began) != releaseTimeout {
			t.Errorf("Close: %v after %v", err, time.Since(began))
		}
	})
}

// A caller that joins a load without a deadline, which runs for another caller or in the
// background, gets the value in its own time, also if the store hangs in Lease.
func TestJoinedLoadOverHangingStore(t *testing.T) {
	for name, start := range map[string]func(ctx context.Context, l *Loader[string]){
		"get":     func(ctx context.Context, l *Loader[string]) { _, _ = l.Get(ctx, "k") },
		"batch":   func(ctx context.Context, l *Loader[string]) { _, _ = l.GetMany(ctx, "a", "k") },
		"refresh": func(ctx context.Context, l *Loader[string]) { _, _ = l.Refresh(ctx, "k") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := NewMany(cache.New(hangs("lease")), Policy{Fresh: time.Minute, Lease: 10 * time.Second}, func(_ context.Context, keys []string) (map[string]string, error) {
					time.Sleep(time.Second / 5)
					values := map[string]string{}
					for _, key := range keys {
						values[key] = "value"
					}
					return values, nil
				})
				defer l.Close()
				go start(t.Context(), l)
				synctest.Wait()
				ctx, stop := context.WithTimeout(t.Context(), time.Second)
				defer stop()
				began := time.Now()
				got, err := l.Get(ctx, "k")
				if took := time.Since(began); got != "value" || err != nil || took != time.Second/2+time.Second/5 {
					t.Errorf("Get = %q, %v after %v", got, err, took)
				}
			})
		})
	}
}

// stuck is a store that does not return from CompareAndSwap, whatever its context does.
type stuck struct {
	*driver.Operations
	free chan struct{}
}

func (s stuck) CompareAndSwap(context.Context, string, []byte, []byte, time.Duration) (bool, error) {
	<-s.free
	return false, cache.ErrUnavailable
}

// Callers that have their value wait for the store no longer than for the load.
func TestStuckStore(t *testing.T) {
	for name, policy := range map[string]Policy{
		"Patience": {Fresh: time.Minute, Rescue: time.Hour, Patience: time.Second},
		"Limit":    {Fresh: time.Minute, Rescue: time.Hour, Limit: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := stuck{driver.Resolve(cachetest.NewStore()), make(chan struct{})}
				l := New(cache.New(s), policy, constant)
				defer l.Close()
				defer close(s.free)
				for range 2 {
					began := time.Now()
					if _, err := l.Get(t.Context(), "k"); err != nil || time.Since(began) > time.Second {
						t.Errorf("Get: %v after %v", err, time.Since(began))
					}
					time.Sleep(2 * time.Minute)
				}
			})
		})
	}
}

// lateLease is a store whose lease is given at once and known later. A call that is cut off
// does not learn of it.
type lateLease struct{ *driver.Operations }

func (s lateLease) Lease(ctx context.Context, key string, hold time.Duration) ([]byte, bool, string, error) {
	value, ok, token, err := s.Operations.Lease(ctx, key, hold)
	select {
	case <-time.After(100 * time.Millisecond):
		return value, ok, token, err
	case <-ctx.Done():
		return nil, false, "", ctx.Err()
	}
}

// A load that is cancelled while it gets its lease gives the lease back: nobody waits until
// it expires.
func TestCancelledWhileLeasing(t *testing.T) {
	policy := Policy{Fresh: time.Minute, Lease: time.Minute}
	for name, cancel := range map[string]func(l *Loader[string], leave func()){
		"Close":             func(l *Loader[string], _ func()) { l.Close() },
		"all callers leave": func(_ *Loader[string], leave func()) { leave() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := driver.Resolve(cachetest.NewStore())
				loads := 0
				one := New(cache.New(lateLease{store}), policy, func(context.Context, string) (string, error) {
					loads++
					return "", nil
				})
				defer one.Close()
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				done := make(chan error, 1)
				go func() {
					_, err := one.Get(ctx, "k")
					done <- err
				}()
				time.Sleep(50 * time.Millisecond)
				began := time.Now()
				cancel(one, leave)
				if err := <-done; err == nil {
					t.Error("Get of the cancelled load: no error")
				}
				other := New(cache.New(store), policy, constant)
				defer other.Close()
				if got, err := other.Get(t.Context(), "k"); got != "value of k" || err != nil || time.Since(began) > time.Second {
					t.Errorf("Get of another process = %q, %v after %v", got, err, time.Since(began))
				}
				if loads != 0 {
					t.Errorf("the cancelled load was called %d times", loads)
				}
			})
		})
	}
}
