package loader

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/cachetest"
	"github.com/cachebackends/cachebackends/core/driver"
)

// Warm reports a load that failed, whatever older value is present.
func TestWarmFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failure error
		l := testLoader(t, cachetest.NewStore(), Policy{Fresh: time.Minute, Stale: time.Minute, Rescue: time.Hour, Patience: time.Second}, func(_ context.Context, key string) (string, error) {
			return key, failure
		})
		if err := l.Warm(t.Context(), slices.Values([]string{"k"})); err != nil {
			t.Fatal(err)
		}
		failure = errSource
		for _, phase := range []string{"Stale", "Rescue"} {
			time.Sleep(time.Minute)
			if err := l.Warm(t.Context(), slices.Values([]string{"k"})); !errors.Is(err, errSource) {
				t.Errorf("Warm in the %s phase: %v, want %v", phase, err, errSource)
			}
		}
	})
}

// short is a store that rejects keys of more than one byte, as others do for longer keys. A
// batch with such a key reads nothing.
type short struct{ *driver.Operations }

func (s short) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if len(key) > 1 {
		return nil, false, cache.ErrInvalidKey
	}
	return s.Operations.Get(ctx, key)
}

func (s short) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	var invalid cache.BatchError
	for _, key := range keys {
		if len(key) > 1 {
			invalid.Fail(key, cache.ErrInvalidKey)
		}
	}
	if err := invalid.ErrorOrNil(); err != nil {
		return make([][]byte, len(keys)), err
	}
	return s.Operations.GetMany(ctx, keys)
}

// A key that the store rejects is named by the error, and the others are loaded.
func TestRejectedKey(t *testing.T) {
	l := New(cache.New(short{driver.Resolve(cachetest.NewStore())}), Policy{Fresh: time.Hour}, constant)
	t.Cleanup(func() { l.Close() })
	got, err := l.GetMany(t.Context(), "a", "long", "b")
	if failed, others := failedKeys(err); len(failed) != 1 || !errors.Is(failed["long"], cache.ErrInvalidKey) || others {
		t.Errorf("GetMany: %v", err)
	}
	if !got[0].OK || got[1].OK || !got[2].OK {
		t.Errorf("GetMany = %v", got)
	}
	err = l.Warm(t.Context(), slices.Values([]string{"long", "c"}))
	if failed, _ := failedKeys(err); len(failed) != 1 || failed["long"] == nil {
		t.Errorf("Warm: %v", err)
	}
	if ok, err := l.store.cache.Has(t.Context(), "c"); !ok || err != nil {
		t.Errorf("Has = %v, %v after Warm", ok, err)
	}
}

// If some keys are invalid, the others are read, not loaded again.
func TestReadBesideRejectedKeys(t *testing.T) {
	var loaded []string
	l := New(cache.New(short{driver.Resolve(cachetest.NewStore())}), Policy{Fresh: time.Hour}, func(_ context.Context, key string) (string, error) {
		loaded = append(loaded, key)
		return key, nil
	})
	t.Cleanup(func() { l.Close() })
	if _, err := l.Get(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	got, err := l.GetMany(t.Context(), "", "long", "a", "longer")
	if failed, others := failedKeys(err); len(failed) != 3 || failed["a"] != nil || others || !errors.Is(err, cache.ErrInvalidKey) {
		t.Errorf("GetMany: %v", err)
	}
	if got[2].Value != "a" || !got[2].OK {
		t.Errorf("GetMany = %v", got)
	}
	err = l.Warm(t.Context(), slices.Values([]string{"", "long", "a"}))
	if failed, others := failedKeys(err); len(failed) != 2 || failed["a"] != nil || others {
		t.Errorf("Warm: %v", err)
	}
	if len(loaded) != 1 {
		t.Errorf("loaded %q, want a once", loaded)
	}
}

// After Close, GetMany returns what is stored and names the keys that need a load.
func TestGetManyAfterClose(t *testing.T) {
	l := testLoader(t, cachetest.NewStore(), Policy{Fresh: time.Hour}, constant)
	if _, err := l.Get(t.Context(), "fresh"); err != nil {
		t.Fatal(err)
	}
	l.Close()
	got, err := l.GetMany(t.Context(), "fresh", "absent")
	if failed, others := failedKeys(err); len(failed) != 1 || !errors.Is(failed["absent"], cache.ErrClosed) || others {
		t.Errorf("GetMany: %v", err)
	}
	if got[0].Value != "value of fresh" || !got[0].OK || got[1].OK {
		t.Errorf("GetMany = %v", got)
	}
	if err := l.Warm(t.Context(), slices.Values([]string{"absent"})); !errors.Is(err, cache.ErrClosed) {
		t.Errorf("Warm: %v", err)
	}
}
