package conformance

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

var contextCases = []Case{
	{ID: "CTX-1", Name: "done_before_the_call",
		Rule:   "a context that is done ends every operation at once, with its error and without effect",
		Why:    "work for a caller who has gone",
		traits: cacheOnly | null,
		Run:    doneBefore},
	{ID: "CTX-2", Name: "deadline_during_the_call",
		Rule:     "with a server that is silent, a call is back at its deadline + 50 ms",
		Why:      "one client ignores the context unless told otherwise",
		Features: []Feature{Network}, traits: once | private, Run: deadlineDuring},
	{ID: "CTX-3", Name: "cancel_during_the_call",
		Rule:     "with a server that is silent, a cancelled call is back within 50 ms or Faults.CancelBound",
		Why:      "one client sees it only at its read timeout",
		Features: []Feature{Network}, traits: once | private, Run: cancelDuring},
	{ID: "CTX-4", Name: "cancelled_set",
		Rule:   "a cancelled Set leaves the old value or the new one, never a torn one, and harms no later call",
		Why:    "half a value; a connection that is out of step",
		traits: private,
		Run:    cancelledSet},
	{ID: "CTX-5", Name: "deadline_is_its_error",
		Rule:     "what the deadline ended is context.DeadlineExceeded, even where the driver says i/o timeout",
		Why:      "callers tell their own deadline from an outage",
		Features: []Feature{Network}, traits: once | private, Run: deadlineError},
}

var closeCases = []Case{
	{ID: "CLO-1", Name: "close_twice",
		Rule:   "Close twice is nil both times",
		Why:    "defer and an explicit Close meet",
		traits: private | null,
		Run: func(t *T) {
			t.Ok("Close", t.Close())
			t.Ok("a second Close", t.Close())
			t.Ok("Close of the backend after Close of the cache", t.backend.Close())
		}},
	{ID: "CLO-2", Name: "use_after_close",
		Rule:   "every operation after Close is ErrClosed",
		Why:    "one client goes on working",
		traits: private | null,
		Run: func(t *T) {
			if t.Can(Storage) {
				t.Set("k", "v", time.Hour)
				t.Delete("k")
			}
			t.Ok("Close", t.Close())
			for _, v := range t.possible(allVerbs) {
				if _, not := t.unclearable(); not && v.name == "Clear" {
					continue
				}
				t.ErrorIs(v.name+" after Close", v.call(t.ctx, t.try, "k"), cache.ErrClosed)
			}
		}},
	{ID: "CLO-3", Name: "close_while_calls_run",
		Rule:   "calls that run during Close finish or end with ErrClosed: no panic",
		Why:    "shutting down under load",
		traits: private | null,
		Run: func(t *T) {
			verbs := t.possible(keyVerbs)
			var closed atomic.Bool
			t.Finish("operations and Close at once", func() {
				t.Go(5, func(worker int) {
					if worker == 0 {
						time.Sleep(2 * time.Millisecond)
						t.Ok("Close", t.Close())
						closed.Store(true)
						return
					}
					for i := 0; !closed.Load(); i++ {
						v := verbs[i%len(verbs)]
						err := v.call(t.ctx, t.try, fmt.Sprintf("w%d", worker))
						if err != nil && !errors.Is(err, cache.ErrClosed) && !errors.Is(err, errResult) {
							t.Stop(v.name+" during Close", err, text("a result, or ErrClosed"))
						}
					}
				})
			})
		}},
}

func doneBefore(t *T) {
	cancelled, cancel := context.WithCancel(t.ctx)
	cancel()
	late, cancel := context.WithDeadline(t.ctx, time.Now().Add(-time.Second))
	defer cancel()
	key := t.Own("k")
	if t.Can(Storage) {
		t.Ok("Set", t.cache.Set(t.ctx, key, []byte("1")))
	}
	counted := &counting{Backend: t.backend}
	through := &store{cache: cache.New(counted, cache.WithPrefix(t.try.recorder.prefix)), recorder: t.try.recorder}
	for _, v := range t.possible(allVerbs) {
		t.ErrorIs(v.name+" with a cancelled context", v.call(cancelled, through, key), context.Canceled)
		t.ErrorIs(v.name+" with a deadline in the past", v.call(late, through, key), context.DeadlineExceeded)
	}
	Equal(t, "calls that reached the backend", counted.calls.Load(), 0)
	if t.Can(Storage) {
		t.holds(key, "1")
	}
	if t.Can(Network) && t.mode == plain {
		doneSendsNothing(t)
	}
}

// counting counts the calls that reach a backend.
type counting struct {
	cache.Backend
	calls atomic.Int64
}

func (c *counting) Get(ctx context.Context, key string) ([]byte, bool, error) {
	c.calls.Add(1)
	return c.Backend.Get(ctx, key)
}

func (c *counting) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	c.calls.Add(1)
	return c.Backend.Set(ctx, key, value, ttl)
}

func (c *counting) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	c.calls.Add(1)
	return c.Backend.Add(ctx, key, value, ttl)
}

func (c *counting) Delete(ctx context.Context, key string) (bool, error) {
	c.calls.Add(1)
	return c.Backend.Delete(ctx, key)
}

// Clear is never passed on: this is a test of what must not happen.
func (c *counting) Clear(context.Context) error {
	c.calls.Add(1)
	return nil
}

func cancelledSet(t *T) {
	size := 256 << 10
	if t.harness.MaxValue != 0 {
		size = min(size, t.harness.MaxValue)
	}
	t.Ok("Set", t.try.Set(t.ctx, "k", checked(1, size), time.Hour))
	for i := range 40 {
		ctx, cancel := context.WithCancel(t.ctx)
		pause := time.Duration(t.rand.IntN(300)) * time.Microsecond
		go func() {
			time.Sleep(pause)
			cancel()
		}()
		err := t.try.Set(ctx, "k", checked(uint32(i), size), time.Hour)
		cancel()
		if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, cache.ErrUnknownOutcome) {
			t.Ok("Set that is cancelled", err)
		}
		value, ok, err := t.try.Get(t.ctx, "k")
		t.Ok("Get after a cancelled Set", err)
		if !ok || !isWhole(value) {
			t.Stop(fmt.Sprintf("Get after a cancelled Set, found %v", ok), value, text("the old value or the new one"))
		}
	}
}
