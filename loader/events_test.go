package loader

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/cachetest"
)

// observed is a cache that counts the events of loads, waits and stale answers.
type observed struct {
	*cache.Cache
	mu     sync.Mutex
	counts map[string]int // by Op, and "load failed" for those with an error
}

func newObserved() *observed {
	o := &observed{counts: map[string]int{}}
	o.Cache = cache.New(cachetest.NewStore(), cache.WithObserver(func(_ context.Context, e cache.Event) {
		o.mu.Lock()
		defer o.mu.Unlock()
		switch e.Op {
		case cache.OpLoad, cache.OpWait, cache.OpStale:
			o.counts[e.Op]++
			if e.Err != nil {
				o.counts[e.Op+" failed"]++
			}
		}
	}))
	return o
}

// want compares the counts since its last call.
func (o *observed) want(t *testing.T, counts map[string]int) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if got, want := fmt.Sprint(o.counts), fmt.Sprint(counts); got != want {
		t.Errorf("got the events %s, want %s", got, want)
	}
	clear(o.counts)
}

func TestEventsOfLoads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newObserved()
		var failure error
		l := New(o.Cache, Policy{Fresh: time.Minute, Stale: time.Minute, Rescue: time.Hour, Missing: time.Minute}, func(_ context.Context, key string) (string, error) {
			time.Sleep(time.Second)
			if key == "missing" {
				return "", ErrMissing
			}
			return key, failure
		})
		defer l.Close()
		get := func(key string, callers int) {
			var group sync.WaitGroup
			for range callers {
				group.Go(func() { _, _ = l.Get(t.Context(), key) })
			}
			group.Wait()
			synctest.Wait()
		}
		get("k", 3)
		o.want(t, map[string]int{"load": 1, "wait": 2})
		get("k", 1)
		o.want(t, nil)
		time.Sleep(time.Minute)
		get("k", 1)
		time.Sleep(2 * time.Second)
		o.want(t, map[string]int{"load": 1, "stale": 1})
		time.Sleep(3 * time.Minute)
		failure = errors.New("no database")
		get("k", 2)
		o.want(t, map[string]int{"load": 1, "load failed": 1, "wait": 1, "stale": 2})
		get("missing", 2)
		o.want(t, map[string]int{"load": 1, "wait": 1})
		get("other", 2)
		o.want(t, map[string]int{"load": 1, "load failed": 1, "wait": 1, "wait failed": 1})
	})
}

func TestEventsOfBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newObserved()
		l := NewMany(o.Cache, Policy{Fresh: time.Minute, Stale: time.Minute}, func(_ context.Context, keys []string) (map[string]string, error) {
			time.Sleep(time.Second)
			var failed cache.BatchError
			if slices.Contains(keys, "bad") {
				failed.Fail("bad", errors.New("no database"))
			}
			return map[string]string{"a": "1", "b": "2"}, failed.ErrorOrNil()
		})
		defer l.Close()
		_, err := l.GetMany(t.Context(), "a", "b", "none")
		if err != nil {
			t.Error(err)
		}
		o.want(t, map[string]int{"load": 1})
		time.Sleep(time.Minute)
		if _, err := l.GetMany(t.Context(), "a", "b"); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Second)
		o.want(t, map[string]int{"load": 1, "stale": 2})
		if _, err := l.GetMany(t.Context(), "a", "bad"); err == nil {
			t.Error("no error")
		}
		o.want(t, map[string]int{"load": 1, "load failed": 1})
	})
}

func TestEventOfAPanic(t *testing.T) {
	o := newObserved()
	l := New(o.Cache, Policy{Fresh: time.Minute}, func(context.Context, string) (string, error) { panic("bug") })
	defer l.Close()
	func() {
		defer func() { recover() }()
		l.Get(t.Context(), "k")
	}()
	o.want(t, map[string]int{"load": 1, "load failed": 1})
}
