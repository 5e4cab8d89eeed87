package conformance

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

var contextCases = []Case{
	{ID: "CTX-1", Name: "done_before_the_call",
		Rule:  "with a context that is done, every operation returns its error at once and has no effect",
		Why:   "Otherwise a server goes on working for callers that have left.",
		flags: cacheOnly | alsoNull,
		run:   doneBeforeCall},
	{ID: "CTX-2", Name: "deadline_during_the_call",
		Rule:     "if the server does not answer, a call returns within 50 ms after its deadline",
		Why:      "One client library ignores the context, and a hanging server makes every request hang.",
		Features: []Feature{Network}, flags: oneModeOnly | needsOwnStore,
		run: func(t *attempt) { t.againstSilentServer(callTime+50*time.Millisecond, withCallTime, nil) }},
	{ID: "CTX-3", Name: "cancel_during_the_call",
		Rule:     "if the server does not answer, a cancelled call returns within 50 ms or Faults.CancelBound",
		Why:      "One client library notices a cancellation only at its read timeout, and shutting down takes that long.",
		Features: []Feature{Network}, flags: oneModeOnly | needsOwnStore,
		run: func(t *attempt) {
			bound := t.harness.Faults.CancelBound
			if bound == 0 {
				bound = 50 * time.Millisecond
			}
			t.againstSilentServer(callTime+bound, cancelledDuring, nil)
		}},
	{ID: "CTX-4", Name: "cancelled_set",
		Rule:  "a cancelled Set leaves the old or the new value, never a part of one, and later calls work",
		Why:   "A request that is half sent leaves the connection out of step, and the next caller reads the wrong reply.",
		flags: needsOwnStore,
		run:   cancelledSet},
	{ID: "CTX-5", Name: "deadline_is_its_error",
		Rule:     "a call that its deadline ends returns context.DeadlineExceeded, even if the driver reports an i/o timeout",
		Why:      "A program distinguishes its own deadline from an outage, and alerts only on the outage.",
		Features: []Feature{Network}, flags: oneModeOnly | needsOwnStore,
		run: func(t *attempt) { t.againstSilentServer(5*time.Second, withCallTime, context.DeadlineExceeded) }},
}

func doneBeforeCall(t *attempt) {
	cancelled, cancel := context.WithCancel(t.ctx)
	cancel()
	late, cancel := context.WithDeadline(t.ctx, time.Now().Add(-time.Second))
	defer cancel()
	key := t.cacheKey("k")
	if t.supports(Storage) {
		t.must("Set", t.cache.Set(t.ctx, key, []byte("1")))
	}
	counted := &countingBackend{Backend: t.backend}
	through := &handle{cache: cache.New(counted, cache.WithPrefix(t.handle.written.prefix)), written: t.handle.written}
	for _, op := range t.ofCache(allOperations) {
		t.errorIs(op.name+" with a cancelled context", op.call(cancelled, through, key), context.Canceled)
		t.errorIs(op.name+" with a deadline in the past", op.call(late, through, key), context.DeadlineExceeded)
	}
	equal(t, "calls that reached the backend", counted.calls.Load(), 0)
	if t.supports(Storage) {
		t.cacheHolds(key, "1")
	}
	if t.supports(Network) && t.mode == plain {
		doneSendsNothing(t)
	}
}

// countingBackend counts the calls that reach a backend.
type countingBackend struct {
	driver.Backend
	calls atomic.Int64
}

func (c *countingBackend) Get(ctx context.Context, key string) ([]byte, bool, error) {
	c.calls.Add(1)
	return c.Backend.Get(ctx, key)
}

func (c *countingBackend) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	c.calls.Add(1)
	return c.Backend.Set(ctx, key, value, ttl)
}

func (c *countingBackend) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	c.calls.Add(1)
	return c.Backend.Add(ctx, key, value, ttl)
}

func (c *countingBackend) Delete(ctx context.Context, key string) (bool, error) {
	c.calls.Add(1)
	return c.Backend.Delete(ctx, key)
}

// Clear is counted, but never forwarded: the store may not be ours to clear.
func (c *countingBackend) Clear(context.Context) error {
	c.calls.Add(1)
	return nil
}

func doneSendsNothing(t *attempt) {
	w := t.openProxied()
	done, cancel := context.WithCancel(t.ctx)
	cancel()
	var sent int64
	for range 5 { // a backend may send something in the background, but a defect sends something in each round
		_, _, before, _ := w.Counts()
		for _, op := range t.ofCache(allOperations) {
			t.errorIs(op.name+" with a cancelled context", op.call(done, w.handle, "k"), context.Canceled)
		}
		_, _, after, _ := w.Counts()
		if sent = after - before; sent == 0 {
			return
		}
	}
	t.wrong("bytes sent for a context that is done", sent, 0)
}

func cancelledSet(t *attempt) {
	size := 256 << 10
	if limit := t.harness.Limits.maxValue(); limit != 0 {
		size = min(size, limit)
	}
	t.must("Set", t.handle.Set(t.ctx, "k", checksummed(1, size), time.Hour))
	for i := range 40 {
		ctx, cancel := context.WithCancel(t.ctx)
		pause := time.Duration(t.rand.IntN(300)) * time.Microsecond
		go func() {
			time.Sleep(pause)
			cancel()
		}()
		err := t.handle.Set(ctx, "k", checksummed(uint32(i), size), time.Hour)
		cancel()
		if !errors.Is(err, context.Canceled) && !errors.Is(err, driver.ErrUnknownOutcome) {
			t.must("Set that is cancelled", err)
		}
		value, ok, err := t.handle.Get(t.ctx, "k")
		t.must("Get after a cancelled Set", err)
		if !ok || !isComplete(value) {
			t.stop(fmt.Sprintf("Get after a cancelled Set, ok=%v", ok), value, text("the old value or the new one"))
		}
	}
}
