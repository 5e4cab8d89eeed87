package cache

import (
	"context"
	"time"
)

// Observer is called after every operation, for metrics, traces and logs. It runs on
// the caller's goroutine or, when GetOrSet stores a loaded value, on the goroutine of
// the load. It must be safe for concurrent use.
//
// A backend may also report events that belong to no operation, on goroutines of its
// own, with the background context: see [driver.EventSource].
type Observer func(ctx context.Context, event Event)

// Tracer is called before and after every operation, for spans. Begin returns the
// context that the backend, the load and the observer receive, and that End receives
// after the observer. An operation that is rejected before it reaches the backend, such as
// one with an empty key, does not begin. A Tracer must be safe for concurrent use.
//
// The operations of GetOrSet are "get", and after a miss [OpLoad] or [OpWait], and the
// calls that store: "lease", "add", "set", "fill", "release".
type Tracer interface {
	Begin(ctx context.Context, op, backend string) context.Context
	End(ctx context.Context, event Event)
}

// Event describes one finished operation.
type Event struct {
	Op       string        // "get", "set", "get_many", ...
	Backend  string        // "redis", "simple", ...
	Hits     int           // keys that were present, for reads
	Misses   int           // keys that were absent or could not be read, for reads
	Bytes    int           // of values read or written, encoded; 0 for values kept without encoding
	Refused  bool          // the value was not stored: Add of a present key, Fill without the lease, CompareAndSwap of another value, a load that a write has ended
	Duration time.Duration // 0 for an event that belongs to no operation
	Err      error         // also an error that WithIgnoreErrors hides, and ErrCorrupt of a read that returned a miss
}

// Names of operations in events that are not calls of the store.
const (
	// OpLoad is one call of a load. Err is the error of load.
	OpLoad = "load"
	// OpWait is the wait of a caller for a load that another caller has started. Err is
	// the error that the caller gets.
	OpWait = "wait"
	// OpStale is an answer of a loader with a value whose fresh time has ended. It has no
	// duration.
	OpStale = "stale"
)

// Names of the operations in errors and events.
const (
	opGet        = "get"
	opGetMany    = "get_many"
	opGetDict    = "get_dict"
	opSet        = "set"
	opSetMany    = "set_many"
	opAdd        = "add"
	opDelete     = "delete"
	opDeleteMany = "delete_many"
	opHas        = "has"
	opClear      = "clear"
	opInc        = "inc"
	opDec        = "dec"
	opTTL        = "ttl"
	opPing       = "ping"
	opStats      = "stats"
	opScan       = "scan"
	opClose      = "close"
	opGetOrSet   = "get_or_set"
	opLease      = "lease"
	opFill       = "fill"
	opRelease    = "release"
	opSwap       = "compare_and_swap"
)

// report receives the events of a driver.EventSource.
func (c *Cache) report(op string, err error) {
	c.Report(context.Background(), Event{Op: op, Err: err})
}

// observe ends an operation that watch has begun.
func (c *Cache) observe(ctx context.Context, e Event, start time.Time) {
	if !c.observed {
		return
	}
	e.Backend = c.name
	e.Duration = time.Since(start)
	if c.observer != nil {
		c.observer(ctx, e)
	}
	if c.tracer != nil {
		c.tracer.End(ctx, e)
	}
}

// beginTrace is watch with an observer or a tracer. It is a function of its own so that
// watch can be inlined.
func (c *Cache) beginTrace(ctx context.Context, op string) (context.Context, time.Time) {
	start := time.Now()
	if c.tracer != nil {
		ctx = c.tracer.Begin(ctx, op, c.name)
	}
	return ctx, start
}

// endTrace is observe without the observer.
func (c *Cache) endTrace(ctx context.Context, e Event, start time.Time) {
	if c.tracer != nil {
		e.Backend = c.name
		e.Duration = time.Since(start)
		c.tracer.End(ctx, e)
	}
}

// Begin begins an operation of a package that extends Cache, such as a load of package
// loader. The package runs the operation with the context that Begin returns, and calls
// end once with the event; end sets Op, Backend and Duration. Without an observer and a
// tracer nothing is called.
func (c *Cache) Begin(ctx context.Context, op string) (_ context.Context, end func(Event)) {
	if !c.observed {
		return ctx, func(Event) {}
	}
	ctx, start := c.watch(ctx, op)
	return ctx, func(e Event) {
		e.Op = op
		c.observe(ctx, e, start)
	}
}

// Report calls the observer with an event that belongs to no operation. It sets Backend.
func (c *Cache) Report(ctx context.Context, event Event) {
	if c.observer != nil {
		event.Backend = c.name
		c.observer(ctx, event)
	}
}
