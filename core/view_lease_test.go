package cache_test

import (
	"context"
	"errors"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// leasesValues is a rich backend with leases of Go values: the token of key is key.
type leasesValues struct{ *rich }

func (l leasesValues) LeaseValue(_ context.Context, key string, _ time.Duration) (any, bool, string, error) {
	value, ok := l.values[key]
	if ok {
		return value, true, "", nil
	}
	return nil, false, key, nil
}

func (l leasesValues) FillValue(ctx context.Context, key, token string, value any, ttl time.Duration) (bool, error) {
	if token != key {
		return false, nil
	}
	return true, l.SetValue(ctx, key, value, ttl)
}

func (l leasesValues) CompareAndSwapValue(ctx context.Context, key string, old, value any, ttl time.Duration) (bool, error) {
	if l.values[key] != old {
		return false, nil
	}
	return true, l.SetValue(ctx, key, value, ttl)
}

func TestLeasesOfValues(t *testing.T) {
	ctx := t.Context()
	backend := leasesValues{newRich()}
	c := cache.New(backend, cache.WithPrefix("p:"))
	v := cache.Of[*int](c, cache.WithoutEncoding())
	one, two := new(int), new(int)

	_, ok, token, err := v.Lease(ctx, "k", time.Second)
	if ok || token != "p:k" || err != nil {
		t.Fatalf("Lease = %v, %q, %v; want a token", ok, token, err)
	}
	filled, err := v.Fill(ctx, "k", "other", one)
	if filled || err != nil {
		t.Errorf("Fill with another token = %v, %v", filled, err)
	}
	filled, err = v.Fill(ctx, "k", token, one, cache.Timeout(time.Minute))
	if !filled || err != nil || backend.ttls["p:k"] != time.Minute {
		t.Errorf("Fill = %v, %v with TTL %v", filled, err, backend.ttls["p:k"])
	}
	if value, ok, token, err := v.Lease(ctx, "k", time.Second); value != one || !ok || token != "" || err != nil {
		t.Errorf("Lease of a present key = %p, %v, %q, %v; want %p", value, ok, token, err, one)
	}
	if swapped, err := v.CompareAndSwap(ctx, "k", two, two); swapped || err != nil {
		t.Errorf("CompareAndSwap of another value = %v, %v", swapped, err)
	}
	if swapped, err := v.CompareAndSwap(ctx, "k", one, two); !swapped || err != nil {
		t.Errorf("CompareAndSwap = %v, %v", swapped, err)
	}
	if value, ok, err := v.Get(ctx, "k"); value != two || !ok || err != nil {
		t.Errorf("Get = %p, %v, %v; want %p", value, ok, err, two)
	}
	if _, _, _, err := v.Lease(ctx, "k", 0); !errors.Is(err, cache.ErrInvalidTimeout) {
		t.Errorf("Lease for 0 s: %v", err)
	}
	if _, _, _, err := cache.Of[int](c, cache.WithoutEncoding()).Lease(ctx, "k", time.Second); !errors.Is(err, cache.ErrCorrupt) {
		t.Errorf("Lease of a value of another type: %v", err)
	}
}

// A view that encodes and a backend that keeps no values have no leases of values.
func TestLeasesOfEncodedValues(t *testing.T) {
	ctx := t.Context()
	for name, v := range map[string]cache.View[int]{
		"view":    cache.Of[int](cache.New(leasesValues{newRich()})),
		"backend": cache.Of[int](cache.New(newRich()), cache.WithoutEncoding()),
	} {
		_, _, _, lease := v.Lease(ctx, "k", time.Second)
		_, fill := v.Fill(ctx, "k", "token", 1)
		_, swap := v.CompareAndSwap(ctx, "k", 1, 2)
		for _, err := range []error{lease, fill, swap} {
			if !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%s: %v, want ErrUnsupported", name, err)
			}
		}
	}
}

func TestEncodeAndDecode(t *testing.T) {
	ctx := t.Context()
	c := cache.New(newFake())
	type point struct{ X, Y int }
	v := cache.Of[point](c)
	data, err := v.Encode(point{1, 2})
	must(t, err)
	must(t, c.Set(ctx, "k", data))
	if value, ok, err := v.Get(ctx, "k"); value != (point{1, 2}) || !ok || err != nil {
		t.Errorf("Get of encoded bytes = %v, %v, %v", value, ok, err)
	}
	if value, err := v.Decode(data); value != (point{1, 2}) || err != nil {
		t.Errorf("Decode = %v, %v", value, err)
	}
	if _, err := v.Decode([]byte("{")); !errors.Is(err, cache.ErrCorrupt) {
		t.Errorf("Decode of damage: %v", err)
	}
	if _, err := cache.Of[chan int](c).Encode(nil); err == nil {
		t.Error("Encode of a channel: no error")
	}
}
