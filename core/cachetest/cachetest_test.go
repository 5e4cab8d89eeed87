package cachetest_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/cachetest"
)

func TestFaults(t *testing.T) {
	c, store := cachetest.New(t, cache.WithPrefix("p:"))
	ctx := t.Context()
	if err := c.SetMany(ctx, map[string][]byte{"a": []byte("1"), "b": []byte("2")}); err != nil {
		t.Fatal(err)
	}
	store.Fail("", "p:a", cache.ErrUnavailable)
	if _, _, err := c.Get(ctx, "a"); !errors.Is(err, cache.ErrUnavailable) {
		t.Errorf("Get of the key that fails: %v", err)
	}
	results, err := c.GetMany(ctx, "a", "b")
	var batch *cache.BatchError
	if !errors.As(err, &batch) || len(batch.Failed) != 1 || batch.Failed[0].Key != "a" || !results[1].OK {
		t.Errorf("GetMany = %v, %v", results, err)
	}
	store.Fail("get", "", cache.ErrAuth) // newer
	if _, _, err := c.Get(ctx, "a"); !errors.Is(err, cache.ErrAuth) {
		t.Errorf("Get with two faults: %v", err)
	}
	if _, err := c.Has(ctx, "b"); err != nil {
		t.Errorf("Has without a fault: %v", err)
	}
	store.Heal()
	if value, ok, err := c.Get(ctx, "a"); string(value) != "1" || !ok || err != nil {
		t.Errorf("Get after Heal = %q, %v, %v", value, ok, err)
	}
	store.Lose("", "")
	if err := c.Set(ctx, "a", []byte("3")); !errors.Is(err, cache.ErrUnknownOutcome) {
		t.Errorf("Set with a lost reply: %v", err)
	}
	if _, _, err := c.Get(ctx, "a"); !errors.Is(err, cache.ErrUnavailable) || errors.Is(err, cache.ErrUnknownOutcome) {
		t.Errorf("Get with a lost reply: %v", err)
	}
	store.Heal()
	if value, _, err := c.Get(ctx, "a"); string(value) != "3" || err != nil {
		t.Errorf("after a write with a lost reply: %q, %v", value, err)
	}
}

func TestUnsupported(t *testing.T) {
	c, store := cachetest.New(t)
	store.Fail("inc", "", errors.ErrUnsupported)
	store.Fail("get_many", "", errors.ErrUnsupported)
	if _, err := c.Inc(t.Context(), "n", 1); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Inc: %v", err)
	}
	if results, err := c.GetMany(t.Context(), "a"); len(results) != 1 || results[0].OK || err != nil {
		t.Errorf("GetMany by its fallback = %v, %v", results, err)
	}
}

func TestSlowAndExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, store := cachetest.New(t)
		if err := c.Set(t.Context(), "k", nil, cache.Timeout(time.Hour)); err != nil {
			t.Fatal(err)
		}
		store.Slow("get", "", time.Minute)
		start := time.Now()
		if _, ok, err := c.Get(t.Context(), "k"); !ok || err != nil || time.Since(start) != time.Minute {
			t.Errorf("Get = %v, %v after %v", ok, err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := c.Get(ctx, "k"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Get with a deadline: %v", err)
		}
		store.Heal()
		time.Sleep(time.Hour)
		if ok, err := c.Has(t.Context(), "k"); ok || err != nil {
			t.Errorf("Has after the expiry = %v, %v", ok, err)
		}
	})
}

func TestCalls(t *testing.T) {
	c, store := cachetest.New(t, cache.WithPrefix("p:"))
	ctx := t.Context()
	c.Set(ctx, "a", nil)
	c.GetMany(ctx, "a", "b")
	c.Ping(ctx)
	c.Clear(ctx)
	want := []cachetest.Call{{Op: "set", Keys: []string{"p:a"}}, {Op: "get_many", Keys: []string{"p:a", "p:b"}}, {Op: "ping"}, {Op: "clear", Keys: []string{"p:"}}}
	if calls := store.Calls(); !reflect.DeepEqual(calls, want) {
		t.Errorf("Calls = %+v, want %+v", calls, want)
	}
	if calls := store.Calls(); len(calls) != 0 {
		t.Errorf("a second Calls = %+v", calls)
	}
	store.OnCall(func(_ context.Context, op, key string) error {
		return fmt.Errorf("%w: %s of %s", cache.ErrFull, op, key)
	})
	if err := c.Set(ctx, "a", nil); !errors.Is(err, cache.ErrFull) {
		t.Errorf("Set under a hook: %v", err)
	}
}

// The code under test keeps serving while the cache is down.
func ExampleStore_Fail() {
	store := cachetest.NewStore()
	users := cache.Of[string](cache.New(store))
	store.Fail("", "", cache.ErrUnavailable)

	user, err := users.GetOrSet(context.Background(), "42", func(context.Context) (string, error) { return "Ada", nil })
	fmt.Println(user, err)
	// Output: Ada <nil>
}
