package loader

import (
	"bytes"
	"context"
	"encoding/binary"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/cachetest"
	"github.com/cachebackends/cachebackends/core/driver"
)

// skewed is a store as a process sees it whose clock is ahead: it changes the time of the
// load in every entry that is written and read.
type skewed struct {
	*driver.Operations
	by time.Duration
}

func skew(s driver.Backend, by time.Duration) *skewed { return &skewed{driver.Resolve(s), by} }

// shifted returns a copy of data in which the time of the load is later by d.
func shifted(data []byte, d time.Duration) []byte {
	var h header
	if _, ok := h.parse(data); !ok {
		return data
	}
	data = bytes.Clone(data)
	at := data[len(magic)+1:]
	binary.BigEndian.PutUint64(at, binary.BigEndian.Uint64(at)+uint64(d.Microseconds()))
	return data
}

func (s *skewed) written(data []byte) []byte { return shifted(data, -s.by) }
func (s *skewed) read(data []byte) []byte    { return shifted(data, s.by) }

func (s *skewed) Get(ctx context.Context, key string) ([]byte, bool, error) {
	data, ok, err := s.Operations.Get(ctx, key)
	return s.read(data), ok, err
}

func (s *skewed) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	values, err := s.Operations.GetMany(ctx, keys)
	for i := range values {
		values[i] = s.read(values[i])
	}
	return values, err
}

func (s *skewed) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return s.Operations.Set(ctx, key, s.written(value), ttl)
}

func (s *skewed) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	return s.Operations.Add(ctx, key, s.written(value), ttl)
}

func (s *skewed) Lease(ctx context.Context, key string, hold time.Duration) ([]byte, bool, string, error) {
	data, ok, token, err := s.Operations.Lease(ctx, key, hold)
	return s.read(data), ok, token, err
}

func (s *skewed) Fill(ctx context.Context, key, token string, value []byte, ttl time.Duration) (bool, error) {
	return s.Operations.Fill(ctx, key, token, s.written(value), ttl)
}

func (s *skewed) CompareAndSwap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	return s.Operations.CompareAndSwap(ctx, key, s.written(old), s.written(value), ttl)
}

// Clocks that are 5 s apart change how long a value is fresh by 5 s, and nothing else.
func TestClocksApart(t *testing.T) {
	const apart = 5 * time.Second
	for _, by := range []time.Duration{apart, -apart} {
		for name, policy := range map[string]Policy{
			"stale":   {Fresh: time.Minute, Stale: time.Minute, Lease: time.Minute},
			"rescued": {Fresh: time.Minute, Rescue: time.Minute, Lease: time.Minute},
			"plain":   {Fresh: time.Minute, Lease: time.Minute},
		} {
			t.Run(name+" "+by.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := cachetest.NewStore()
					var source atomic.Int64
					load := func(context.Context, string) (string, error) { return strconv.FormatInt(source.Add(1), 10), nil }
					one := New(cache.New(s), policy, load)
					two := New(cache.New(skew(s, by)), policy, load)
					defer one.Close()
					defer two.Close()
					get := func(l *Loader[string]) int64 {
						got, err := l.Get(t.Context(), "k")
						n, _ := strconv.ParseInt(got, 10, 64)
						if err != nil || n == 0 {
							t.Errorf("Get = %q, %v", got, err)
						}
						synctest.Wait() // for a load in the background
						return n
					}
					for _, test := range []struct{ loads, reads *Loader[string] }{{one, two}, {two, one}} {
						if err := one.Delete(t.Context(), "k"); err != nil {
							t.Fatal(err)
						}
						loaded := get(test.loads)
						time.Sleep(policy.Fresh - 2*apart)
						if n := get(test.reads); n != loaded {
							t.Errorf("a value was loaded %v before the end of Fresh", 2*apart)
						}
						time.Sleep(3 * apart)
						get(test.reads)
						if n := get(test.reads); n == loaded {
							t.Errorf("a value was fresh %v after the end of Fresh", apart)
						}
						// After Expire the value is not fresh for any process.
						for _, after := range []time.Duration{0, time.Second, 20 * time.Second} {
							if _, err := test.loads.Refresh(t.Context(), "k"); err != nil {
								t.Fatal(err)
							}
							time.Sleep(after)
							if err := test.reads.Expire(t.Context(), "k"); err != nil {
								t.Fatal(err)
							}
							before := source.Load()
							get(test.loads)
							if source.Load() == before {
								t.Errorf("Expire %v after a Refresh: the process that loaded it did not load again", after)
							}
							if err := test.loads.Expire(t.Context(), "k"); err != nil {
								t.Fatal(err)
							}
							before = source.Load()
							get(test.reads)
							if source.Load() == before {
								t.Errorf("Expire %v after a Refresh: the other process did not load again", after)
							}
						}
					}
				})
			})
		}
	}
}
