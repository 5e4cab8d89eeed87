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

// Event describes one finished operation.
type Event struct {
	Op       string        // "get", "set", "get_many", ...
	Backend  string        // "redis", "simple", ...
	Hits     int           // keys that were present, for reads
	Misses   int           // keys that were absent, for reads
	Bytes    int           // of values read or written, encoded; 0 for values kept without encoding
	Duration time.Duration // 0 for an event that belongs to no operation
	Err      error         // also an error that WithIgnoreErrors hides, and ErrCorrupt of a read that returned a miss
}

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
	c.observer(context.Background(), Event{Op: op, Backend: c.name, Err: err})
}

func (c *Cache) observe(ctx context.Context, e Event, start time.Time) {
	if c.observer == nil {
		return
	}
	e.Backend = c.name
	e.Duration = time.Since(start)
	c.observer(ctx, e)
}
