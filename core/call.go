package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// This file has the steps around the call of the backend that all operations share:
// checks and prefix before it, the observer and the wrapping of errors after it.

// begin checks the context and the key. It returns the context for the backend and the
// time at which the operation starts. If there is an error, the operation has not begun
// for the observer and the tracer; the same applies to the functions below.
func (c *Cache) begin(ctx context.Context, op, key string) (_ context.Context, start time.Time, err error) {
	if err := check(ctx, key); err != nil {
		return ctx, start, err
	}
	ctx, start = c.watch(ctx, op)
	return ctx, start, nil
}

// beginWrite is begin for operations that change key: they end a load of it.
func (c *Cache) beginWrite(ctx context.Context, op, key string) (_ context.Context, start time.Time, err error) {
	if err = check(ctx, key); err == nil && c.flights.any() {
		err = c.flights.end(ctx, key)
	}
	if err == nil {
		ctx, start = c.watch(ctx, op)
	}
	return ctx, start, err
}

// beginStore is beginWrite for operations that store, with the TTL for the backend.
// It does not call beginWrite, because calls take a considerable part of a Set in
// memory.
func (c *Cache) beginStore(ctx context.Context, op, key string, options []SetOption) (_ context.Context, start time.Time, ttl time.Duration, err error) {
	if err = check(ctx, key); err == nil {
		ttl, err = c.lifetime(options)
	}
	if err == nil && c.flights.any() {
		err = c.flights.end(ctx, key)
	}
	if err == nil {
		ctx, start = c.watch(ctx, op)
	}
	return ctx, start, ttl, err
}

// checkMany is check for batches: one invalid key ends the batch.
func checkMany(ctx context.Context, keys []string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var invalid driver.BatchError
	for _, key := range keys {
		if key == "" {
			invalid.Fail(key, errEmptyKey)
		}
	}
	return invalid.ErrorOrNil()
}

// check and watch are the halves of begin, small enough to be inlined. Reads call
// them directly, because a call of begin takes a large part of a hit in memory.
func check(ctx context.Context, key string) error {
	err := ctx.Err()
	if err == nil && key == "" {
		err = errEmptyKey
	}
	return err
}

func (c *Cache) watch(ctx context.Context, op string) (_ context.Context, start time.Time) {
	if c.observed {
		return c.beginTrace(ctx, op)
	}
	return ctx, start
}

var errEmptyKey = fmt.Errorf("%w: the key is empty", ErrInvalidKey)

// lifetime resolves the options of a call to a TTL for the backend.
func (c *Cache) lifetime(options []SetOption) (time.Duration, error) {
	ttl := c.timeout
	for _, option := range options {
		if !option.lease {
			ttl = option.timeout
		}
	}
	if ttl < 0 {
		return 0, fmt.Errorf("%w: %v is negative (0 never expires)", ErrInvalidTimeout, ttl)
	}
	return ttl, nil
}

// holdOf returns the hold of the last [Lease] among options, 0 if there is none.
func holdOf(options []SetOption) (hold time.Duration, err error) {
	for _, option := range options {
		if option.lease {
			hold, err = option.hold, checkHold(option.hold)
		}
	}
	return hold, err
}

func checkHold(hold time.Duration) error {
	if hold <= 0 || hold > driver.MaxHold {
		return fmt.Errorf("%w: the hold of a lease is %v, must be positive and at most %v", ErrInvalidTimeout, hold, driver.MaxHold)
	}
	return nil
}

// full returns the key that the backend receives.
func (c *Cache) full(key string) string {
	if c.prefix == "" {
		return key // even a concatenation with nothing costs a call
	}
	return c.prefix + key
}

// fullKeys returns the keys at indexes with the prefix. Each is allocated separately,
// so that a store that keeps one of them does not keep the memory of the others.
func (c *Cache) fullKeys(keys []string, indexes []int) []string {
	if c.prefix == "" && len(indexes) == len(keys) {
		return keys
	}
	full := make([]string, len(indexes))
	for at, i := range indexes {
		full[at] = c.full(keys[i])
	}
	return full
}

// withoutPrefix removes the prefix from the keys of a backend's BatchError.
func (c *Cache) withoutPrefix(err error) error {
	if c.prefix == "" || err == nil {
		return err
	}
	return driver.RenameKeys(err, func(key string) string { return strings.TrimPrefix(key, c.prefix) })
}

// copyOut returns value as memory that the caller may keep.
func (c *Cache) copyOut(value []byte) []byte {
	if c.copies {
		return value
	}
	return bytes.Clone(value)
}

// copyIn returns value as memory that the backend may keep.
func (c *Cache) copyIn(value []byte) []byte {
	if value == nil {
		return []byte{}
	}
	if c.copies {
		return value
	}
	return bytes.Clone(value)
}

// finish ends an operation. It calls the observer, and returns the error wrapped, or
// nil if errors are ignored.
func (c *Cache) finish(ctx context.Context, start time.Time, key string, e Event) error {
	if c.quiet(e.Err) {
		return nil
	}
	c.observe(ctx, e, start)
	if e.Err == nil || c.ignore && !isMistake(e.Err) {
		return nil
	}
	return c.wrap(e.Op, key, visible(e.Err))
}

// quiet reports whether there is neither an error nor an observer or tracer. Reads call it
// before they make an Event, which costs as much as a hit.
func (c *Cache) quiet(err error) bool { return err == nil && !c.observed }

// wrap returns err as the *Error of an operation, or nil.
func (c *Cache) wrap(op, key string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Backend: c.name, Key: key, Err: err}
}

// isMistake reports whether the caller caused the error, not the store.
func isMistake(err error) bool {
	return err != nil && (errors.Is(err, ErrInvalidKey) || errors.Is(err, ErrInvalidTimeout) || errors.Is(err, ErrClosed) ||
		driver.IsUnsupported(err) || errors.Is(err, errUnencodable))
}

// damage marks an ErrCorrupt that the backend returned. The caller gets a miss, and
// its next Set repairs the entry; the observer receives the error.
type damage struct{ error }

func (d damage) Unwrap() error { return d.error }

// markDamage marks what is damage in the error of a backend's read, also in a batch
// and beside other failures.
func markDamage(err error) error {
	if err == nil || !errors.Is(err, ErrCorrupt) {
		return err
	}
	var batch *BatchError
	if !errors.As(err, &batch) && driver.IsCorrupt(err) {
		return damage{err}
	}
	return mapErrors(driver.MergeBatch(err), markDamage)
}

// visible returns err without the damage that the caller sees as a miss.
func visible(err error) error {
	if _, ok := err.(damage); ok {
		return nil
	}
	if !errors.As(err, new(damage)) {
		return err
	}
	return mapErrors(err, visible)
}

// mapErrors returns err with each error that it consists of replaced by change, and
// without those for which change returns nil.
func mapErrors(err error, change func(error) error) error {
	switch e := err.(type) {
	case *BatchError:
		var changed BatchError
		for _, f := range e.Failed {
			if err := change(f.Err); err != nil {
				changed.Fail(f.Key, err)
			}
		}
		return changed.ErrorOrNil()
	case interface{ Unwrap() []error }:
		var changed []error
		for _, err := range e.Unwrap() {
			changed = append(changed, change(err))
		}
		return errors.Join(changed...)
	case interface{ Unwrap() error }:
		return change(e.Unwrap())
	}
	return err
}
