package loader

import (
	"context"
	"errors"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

// This file reports to the observer and the tracer of the cache what the store does not
// see: loads, waits for the loads of other callers, and stale answers.

// call calls load as an operation that the observer and the tracer of the cache see.
func (l *Loader[T]) call(ctx context.Context, keys []string) []result[T] {
	ctx, end := l.store.cache.Begin(ctx, cache.OpLoad)
	err := errGoexit // unless load returns
	defer func() { end(cache.Event{Err: err}) }()
	results := l.load(ctx, keys)
	failures := make([]error, len(keys))
	for i, r := range results {
		failures[i] = failureOf(r.err)
	}
	if err = failures[0]; len(keys) > 1 {
		err = driver.BatchOf(keys, failures)
	}
	return results
}

// failureOf returns err unless it means that the source has no value.
func failureOf(err error) error {
	if errors.Is(err, ErrMissing) {
		return nil
	}
	return err
}

// beginWait begins the wait for a load that another caller has started. end gets a pointer
// to the error that the caller gets.
func (l *Loader[T]) beginWait(ctx context.Context) (_ context.Context, end func(err *error)) {
	ctx, done := l.store.cache.Begin(ctx, cache.OpWait)
	return ctx, func(err *error) { done(cache.Event{Err: failureOf(*err)}) }
}

// answer returns the value of an entry that is served in phase p.
func (l *Loader[T]) answer(ctx context.Context, r *read[T], p phase) (T, error) {
	if p != fresh {
		l.store.cache.Report(ctx, cache.Event{Op: cache.OpStale})
	}
	if r.e.missing {
		return r.e.value, ErrMissing
	}
	return r.e.value, nil
}
