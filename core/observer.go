package cache

import (
	"context"
	"errors"
	"time"
)

// Observer is told of every operation after it ended, on the caller's goroutine:
// the place for metrics, traces and logs. It must be safe for concurrent use.
type Observer func(ctx context.Context, event Event)

// Event describes one finished operation.
type Event struct {
	Op       string // "get", "set", "get_many", ...
	Backend  string // "redis", "simple", ...
	Hits     int    // keys that were there, for reads
	Misses   int    // keys that were not
	Bytes    int    // of values read or written, encoded; 0 for values kept as they are
	Duration time.Duration
	Err      error // also what WithIgnoreErrors hides, and damage that was served as a miss
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
	opClose      = "close"
)

func (c *Cache) observe(ctx context.Context, e Event, start time.Time) {
	if c.observer == nil {
		return
	}
	e.Backend = c.name
	e.Duration = time.Since(start)
	c.observer(ctx, e)
}

// finish ends an operation: the observer hears of it, and the caller gets the
// error wrapped, or nil where it is to be ignored.
func (c *Cache) finish(ctx context.Context, start time.Time, key string, e Event) error {
	if c.quiet(e.Err) {
		return nil
	}
	c.observe(ctx, e, start)
	if c.ignore && !isMistake(e.Err) {
		return nil
	}
	return c.wrap(e.Op, key, visible(e.Err))
}

// quiet reports whether an operation has nothing to tell anybody. Reads ask
// before they describe themselves in an Event, which costs as much as a hit.
func (c *Cache) quiet(err error) bool { return err == nil && c.observer == nil }

// wrap makes the one *Error of an operation.
func (c *Cache) wrap(op, key string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Backend: c.name, Key: key, Err: err}
}

// isMistake reports whether the caller, not the store, is to blame.
func isMistake(err error) bool {
	return errors.Is(err, ErrInvalidKey) || errors.Is(err, ErrInvalidTimeout) ||
		errors.Is(err, ErrClosed) || errors.Is(err, errUnencodable)
}

// damage marks stored bytes that the backend itself found unreadable: a miss for
// the caller, whose next Set repairs it, and news for the observer.
type damage struct{ error }

func (d damage) Unwrap() error { return d.error }

// markDamage finds the ErrCorrupt in what a backend's read returned.
func markDamage(err error) error {
	if err == nil || !errors.Is(err, ErrCorrupt) {
		return err
	}
	batch, ok := err.(*BatchError)
	if !ok {
		return damage{err}
	}
	var marked BatchError
	for _, f := range batch.Failed {
		marked.Fail(f.Key, markDamage(f.Err))
	}
	return &marked
}

// visible is err without the damage that was served as a miss.
func visible(err error) error {
	if _, ok := err.(damage); ok {
		return nil
	}
	batch, ok := err.(*BatchError)
	if !ok {
		return err
	}
	var rest BatchError
	for _, f := range batch.Failed {
		if visible(f.Err) != nil {
			rest.Failed = append(rest.Failed, f)
		}
	}
	return rest.ErrorOrNil()
}
