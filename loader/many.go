package loader

import (
	"context"
	"errors"
	"iter"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

// GetMany returns one result per key, in the order of keys, which may repeat. OK is false
// if the source has no value for the key, or if the key failed. If some keys failed, the
// error is a [*cache.BatchError] that names them; the other results are valid.
//
// GetMany reads all entries in one batch. It waits for loads that other callers have
// started instead of loading the key again. The results of a repeated key share one value.
func (l *Loader[T]) GetMany(ctx context.Context, keys ...string) ([]cache.Result[T], error) {
	results := make([]cache.Result[T], len(keys))
	served, err := l.getMany(ctx, keys)
	if err != nil {
		return results, err
	}
	var failed cache.BatchError
	for i, key := range keys {
		r := served[key]
		switch {
		case r.err == nil:
			results[i] = cache.Result[T]{Value: r.value, OK: true}
		case !errors.Is(r.err, ErrMissing) && !r.reported:
			failed.Fail(key, r.err)
			r.reported = true
		}
	}
	return results, failed.ErrorOrNil()
}

// answered is the result of GetMany for one key.
type answered[T any] struct {
	result[T]
	reported bool // its error was reported; the key may repeat
}

func (l *Loader[T]) getMany(ctx context.Context, keys []string) (map[string]*answered[T], error) {
	reads, err := l.readMany(ctx, keys)
	if err != nil {
		return nil, err
	}
	served := make(map[string]*answered[T], len(reads))
	var behind, now []*read[T]
	for _, r := range reads {
		a := new(answered[T])
		served[r.key] = a
		phase := r.phase()
		switch {
		case isMistake(r.fault):
			a.err = r.fault
			continue
		case phase != fresh && phase != stale:
			now = append(now, r)
			continue
		case l.isDue(r, phase):
			behind = append(behind, r)
		}
		a.value, a.err = l.answer(ctx, r, phase)
	}
	if len(behind) > 0 {
		_, _ = l.start(ctx, behind, true, false) // fails only after Close
	}
	l.loadMany(ctx, now, served, waiting{})
	return served, nil
}

// loadMany waits for loads of what was read, one after the other: they run together.
func (l *Loader[T]) loadMany(ctx context.Context, reads []*read[T], served map[string]*answered[T], w waiting) {
	if len(reads) == 0 {
		return
	}
	joined, err := l.start(ctx, reads, false, false)
	if err != nil { // after Close
		for _, r := range reads {
			served[r.key].err = err
		}
		return
	}
	waited := 0
	w.began = time.Now()
	defer func() { // after a panic of a load
		for ; waited < len(joined); waited++ {
			l.flights.leave(joined[waited], false)
		}
	}()
	for i, r := range reads {
		waited++ // wait leaves the flight
		a := served[r.key]
		a.value, a.err = l.wait(ctx, joined[i], r, w)
	}
}

// readMany reads the entries of the distinct keys. The error is a mistake of the caller
// that concerns all of them, or the end of ctx.
func (l *Loader[T]) readMany(ctx context.Context, keys []string) ([]*read[T], error) {
	reads := make([]*read[T], 0, len(keys))
	distinct := make([]string, 0, len(keys))
	seen := make(map[string]bool, len(keys))
	for _, key := range keys {
		if !seen[key] {
			seen[key] = true
			distinct = append(distinct, key)
			reads = append(reads, &read[T]{key: key, landed: l.flights.counter(key).Load()})
		}
	}
	half, stop := l.store.budget(ctx)
	defer stop()
	entries, failed, err := l.store.getMany(half, distinct)
	for i, r := range reads {
		r.e, r.fault = entries[i], failed[r.key]
		switch {
		case driver.IsCorrupt(r.fault):
			r.e, r.fault = new(entry[T]), nil // stored by another view
		case r.fault == nil:
			r.fault = err
		}
	}
	checkTags(half, l.store.cache, reads...)
	switch {
	case ctx.Err() != nil && (err != nil || len(failed) > 0):
		return nil, ctx.Err()
	case isMistake(err):
		return nil, err
	}
	return reads, nil
}

// Warm loads the values of keys that are missing or past their Fresh phase, 100 keys at a
// time, and returns when they are loaded. The error of failed keys is a
// [*cache.BatchError] that names them. If all keys of a batch fail, or if ctx is done, Warm
// returns without the rest.
func (l *Loader[T]) Warm(ctx context.Context, keys iter.Seq[string]) error {
	const size = 100
	var err error
	warm := func(batch []string) (goOn bool) {
		failures := l.warm(ctx, batch)
		err = driver.MergeBatch(err, failures)
		failed, others := failedKeys(failures)
		return !others && len(failed) < len(batch) && ctx.Err() == nil
	}
	batch := make([]string, 0, size)
	for key := range keys {
		if batch = append(batch, key); len(batch) < size {
			continue
		}
		if !warm(batch) {
			return err
		}
		batch = batch[:0]
	}
	if len(batch) > 0 {
		warm(batch)
	}
	return err
}

// warm loads the keys of one batch that are not fresh, and waits for the loads.
func (l *Loader[T]) warm(ctx context.Context, keys []string) error {
	reads, err := l.readMany(ctx, keys)
	if err != nil {
		return err
	}
	var due []*read[T]
	served := make(map[string]*answered[T], len(reads))
	var failed cache.BatchError
	for _, r := range reads {
		switch {
		case isMistake(r.fault):
			failed.Fail(r.key, r.fault)
		case r.phase() != fresh:
			due = append(due, r)
			served[r.key] = new(answered[T])
		}
	}
	l.loadMany(ctx, due, served, waiting{forced: true})
	for _, r := range due {
		if err := served[r.key].err; err != nil && !errors.Is(err, ErrMissing) {
			failed.Fail(r.key, err)
		}
	}
	return failed.ErrorOrNil()
}
