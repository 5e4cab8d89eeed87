package cache_test

import (
	"context"
	"errors"
	"testing"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

// appending is a backend that reads into the memory of its callers and knows its size.
type appending struct {
	*fake
	err error
}

func (a *appending) GetAppend(ctx context.Context, key string, dst []byte) ([]byte, bool, error) {
	if a.err != nil {
		return append(dst, "half of"...), true, a.err
	}
	value, ok, err := a.Get(ctx, key)
	return append(dst, value...), ok, err
}

func (a *appending) Stats(context.Context) (driver.Stats, error) {
	return driver.Stats{Entries: int64(len(a.data))}, a.err
}

func TestGetAppendReadsIntoTheCallersMemory(t *testing.T) {
	backend := &appending{fake: newFake()}
	var events []cache.Event
	c := cache.New(backend, cache.WithPrefix("p:"), cache.WithObserver(func(_ context.Context, e cache.Event) { events = append(events, e) }))
	must(t, c.Set(t.Context(), "k", []byte("value")))
	dst := append(make([]byte, 0, 64), "dst:"...)
	got, ok, err := c.GetAppend(t.Context(), "k", dst)
	if string(got) != "dst:value" || !ok || err != nil || &got[0] != &dst[0] {
		t.Errorf("GetAppend = %q, %v, %v", got, ok, err)
	}
	if e := events[len(events)-1]; e.Op != "get" || e.Hits != 1 || e.Bytes != len("value") {
		t.Errorf("the observer received %+v", e)
	}
	got, ok, err = c.GetAppend(t.Context(), "absent", dst)
	if string(got) != "dst:" || ok || err != nil {
		t.Errorf("GetAppend of an absent key = %q, %v, %v", got, ok, err)
	}
	for err, want := range map[error]error{cache.ErrCorrupt: nil, cache.ErrUnavailable: cache.ErrUnavailable} {
		backend.err = err
		got, ok, err := c.GetAppend(t.Context(), "k", dst)
		if string(got) != "dst:" || ok || !errors.Is(err, want) {
			t.Errorf("GetAppend = %q, %v, %v, want %v", got, ok, err, want)
		}
	}
	if _, _, err := c.GetAppend(t.Context(), "", dst); !errors.Is(err, cache.ErrInvalidKey) {
		t.Errorf("GetAppend of an empty key: %v", err)
	}
}

// leftover is a backend that returns a value with ok=false.
type leftover struct{ *fake }

func (leftover) Get(context.Context, string) ([]byte, bool, error) {
	return []byte("expired"), false, nil
}

func TestGetAppendOfAMissReturnsDst(t *testing.T) {
	got, ok, err := cache.New(leftover{newFake()}).GetAppend(t.Context(), "k", []byte("dst:"))
	if string(got) != "dst:" || ok || err != nil {
		t.Errorf("GetAppend of a key that is absent = %q, %v, %v", got, ok, err)
	}
}

func TestStats(t *testing.T) {
	backend := &appending{fake: newFake()}
	c := cache.New(backend)
	must(t, c.Set(t.Context(), "k", nil))
	if stats, err := c.Stats(t.Context()); stats.Entries != 1 || err != nil {
		t.Errorf("Stats = %+v, %v", stats, err)
	}
	backend.err = cache.ErrUnavailable
	if stats, err := c.Stats(t.Context()); stats != driver.UnknownStats || !errors.Is(err, cache.ErrUnavailable) {
		t.Errorf("Stats of a failing store = %+v, %v", stats, err)
	}
	if stats, err := cache.New(newFake()).Stats(t.Context()); stats != driver.UnknownStats || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Stats of a backend without them = %+v, %v", stats, err)
	}
}

// eventful is a backend that reports an event of its own.
type eventful struct {
	*fake
	report func(op string, err error)
}

func (e *eventful) OnEvent(report func(op string, err error)) { e.report = report }

func TestEventsOfABackend(t *testing.T) {
	backend := &eventful{fake: newFake()}
	var events []cache.Event
	c := cache.New(backend, cache.WithObserver(func(_ context.Context, e cache.Event) { events = append(events, e) }))
	backend.report("breaker_open", cache.ErrUnavailable)
	if len(events) != 1 || events[0].Op != "breaker_open" || events[0].Backend != c.Name() || events[0].Err != cache.ErrUnavailable {
		t.Errorf("the observer received %+v", events)
	}
	silent := &eventful{fake: newFake()}
	if cache.New(silent); silent.report != nil {
		t.Error("a cache without an observer asks for events")
	}
}
