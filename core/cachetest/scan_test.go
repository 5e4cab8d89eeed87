package cachetest_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/cachetest"
	"github.com/cachebackends/cachebackends/core/driver"
)

// scan returns the keys that are listed before err.
func scan(ctx context.Context, c *cache.Cache, prefix string) (keys []string, err error) {
	for entry, err := range c.Scan(ctx, prefix) {
		if err != nil {
			return keys, err
		}
		keys = append(keys, entry.Key)
	}
	slices.Sort(keys)
	return keys, nil
}

func TestScan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		c, store := cachetest.New(t, cache.WithPrefix("p:"))
		for _, key := range []string{"a1", "a2", "b"} {
			if err := c.Set(ctx, key, []byte("123")); err != nil {
				t.Fatal(err)
			}
		}
		if err := cache.Of[int](c, cache.WithoutEncoding()).Set(ctx, "kept", 1, cache.Timeout(0)); err != nil {
			t.Fatal(err)
		}
		store.Calls()
		if keys, err := scan(ctx, c, "a"); !slices.Equal(keys, []string{"a1", "a2"}) || err != nil {
			t.Errorf("Scan = %q, %v", keys, err)
		}
		if calls := store.Calls(); !reflect.DeepEqual(calls, []cachetest.Call{{Op: "scan", Keys: []string{"p:a"}}}) {
			t.Errorf("Calls = %+v", calls)
		}
		for entry := range c.Scan(ctx, "kept") {
			if entry != (driver.Entry{Key: "kept", Size: -1}) {
				t.Errorf("a Go value is %+v", entry)
			}
		}
		store.Slow("scan", "p:a1", time.Minute)
		start := time.Now()
		if keys, err := scan(ctx, c, ""); len(keys) != 4 || err != nil || time.Since(start) != time.Minute {
			t.Errorf("a slow entry: %q, %v after %v", keys, err, time.Since(start))
		}
		store.Fail("scan", "p:b", cache.ErrUnavailable)
		if keys, err := scan(ctx, c, ""); len(keys) == 4 || !errors.Is(err, cache.ErrUnavailable) {
			t.Errorf("an entry that fails: %q, %v", keys, err)
		}
		store.Fail("scan", "", cache.ErrAuth)
		if keys, err := scan(ctx, c, "a"); len(keys) > 0 || !errors.Is(err, cache.ErrAuth) {
			t.Errorf("a scan that fails: %q, %v", keys, err)
		}
		store.Heal()
		store.Lose("scan", "")
		if _, err := scan(ctx, c, ""); !errors.Is(err, cache.ErrUnavailable) {
			t.Errorf("a lost reply: %v", err)
		}
		store.Fail("scan", "", errors.ErrUnsupported)
		if _, err := scan(ctx, c, ""); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("a store without Scan: %v", err)
		}
	})
}
