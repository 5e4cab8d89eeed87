package loader

import (
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// Loader returns values from a cache, and loads those that are missing or too old by its
// [Policy]. It is safe for concurrent use.
type Loader[T any] struct {
	store   *store[T]
	policy  Policy
	load    func(ctx context.Context, keys []string) []result[T]
	many    bool          // load takes more than one key
	slots   chan struct{} // Policy.Loads; nil for any number
	flights flights[T]
	clock   *clock

	ctx     context.Context // ends with Close
	stop    context.CancelFunc
	running sync.WaitGroup
}

// New returns a Loader of the values that load returns for one key. An entry is stored in
// c under the same key, encoded with the codec of c, or without encoding with
// [cache.WithoutEncoding]. New panics if the policy is invalid: see [Policy.Validate].
//
// The context of load has the values of the context of the caller that started it. It
// ends at [Policy.Limit], with Close, and when all callers that waited have left, unless
// load runs in the background. load returns [ErrMissing] if the source has no value. If
// load panics, the callers that wait for it panic; callers during [Policy.Backoff] get
// the panic as an error.
func New[T any](c *cache.Cache, policy Policy, load func(ctx context.Context, key string) (T, error), options ...cache.ViewOption) *Loader[T] {
	return newLoader(c, policy, false, func(ctx context.Context, keys []string) []result[T] {
		value, err := load(ctx, keys[0])
		return []result[T]{{value, err}}
	}, options)
}

// NewMany is [New] for a load of several distinct keys at once. load returns the values
// that the source has; a key without a value and without an error is missing. If the
// error is a [*cache.BatchError], the keys that it names have failed. If it is another
// error, all keys without a value have failed with it.
func NewMany[T any](c *cache.Cache, policy Policy, load func(ctx context.Context, keys []string) (map[string]T, error), options ...cache.ViewOption) *Loader[T] {
	return newLoader(c, policy, true, func(ctx context.Context, keys []string) []result[T] {
		values, err := load(ctx, keys)
		failed, others := failedKeys(err)
		results := make([]result[T], len(keys))
		for i, key := range keys {
			value, ok := values[key]
			switch {
			case failed[key] != nil:
				results[i].err = failed[key]
			case ok:
				results[i].value = value
			case others:
				results[i].err = err
			default:
				results[i].err = ErrMissing
			}
		}
		return results
	}, options)
}

func newLoader[T any](c *cache.Cache, policy Policy, many bool, load func(context.Context, []string) []result[T], options []cache.ViewOption) *Loader[T] {
	if err := policy.Validate(); err != nil {
		panic(err)
	}
	l := &Loader[T]{store: newStore[T](c, options), policy: policy, load: load, many: many, clock: newClock()}
	l.flights.byKey, l.flights.ending = make(map[string]*flight[T]), make(map[string][]*flight[T])
	l.flights.seed = maphash.MakeSeed()
	l.ctx, l.stop = context.WithCancel(context.Background())
	if policy.Loads > 0 {
		l.slots = make(chan struct{}, policy.Loads)
	}
	return l
}

// Get returns the value of key. It loads the value if it is missing or past its Stale
// phase. Concurrent callers share one load. Each caller owns the value that it gets, unless
// values are stored without encoding.
//
// The error is that of load, [ErrMissing] if the source has no value, [ErrLate], the
// error of ctx, or [cache.ErrClosed] if a load is necessary after Close. A load that waits
// for itself gets [cache.ErrRecursiveLoad]. Get does not return failures of the store: it
// loads the value and does not store it. It returns mistakes of the caller, such as
// [cache.ErrInvalidKey].
func (l *Loader[T]) Get(ctx context.Context, key string) (T, error) {
	if !l.store.keeps {
		return l.get(ctx, key)
	}
	before := l.flights.total.Load()
	e, ok, err := l.store.kept.Get(ctx, key)
	if ok && err == nil && e.clock == l.clock && l.clock.isBefore(e.quick) {
		return e.value, nil
	}
	r := &read[T]{key: key, landed: l.flights.landedBefore(key, before)}
	r.e, r.fault = orForeign(e, ok, err)
	checkTags(ctx, l.store.cache, r)
	return l.serve(ctx, r, r.mistake(ctx))
}

func (l *Loader[T]) get(ctx context.Context, key string) (T, error) {
	r, err := l.read(ctx, key)
	return l.serve(ctx, r, err)
}

// serve returns the value of r, and loads it if it is missing or too old. err is that of
// the read.
func (l *Loader[T]) serve(ctx context.Context, r *read[T], err error) (value T, _ error) {
	if err != nil {
		return value, err
	}
	phase := r.phase()
	if phase != fresh && phase != stale {
		return l.loadNow(ctx, r, false)
	}
	if l.isDue(r, phase) {
		_, _ = l.start(ctx, []*read[T]{r}, true, false) // fails only after Close
	}
	return l.answer(ctx, r, phase)
}

// isDue reports whether an entry that is served is loaded in the background.
func (l *Loader[T]) isDue(r *read[T], p phase) bool {
	return p == stale || l.policy.Early > 0 && r.e.isEarly(l.policy.Early)
}

// read reads the entry of key. The error is a mistake of the caller or the end of ctx.
func (l *Loader[T]) read(ctx context.Context, key string) (*read[T], error) {
	half, stop := l.store.budget(ctx)
	defer stop()
	r := &read[T]{key: key, landed: l.flights.counter(key).Load()}
	r.e, r.fault = l.store.get(half, key)
	checkTags(half, l.store.cache, r)
	return r, r.mistake(ctx)
}

// mistake returns the failure of r if the caller caused it or ctx is done.
func (r *read[T]) mistake(ctx context.Context) error {
	switch {
	case r.fault == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case isMistake(r.fault):
		return r.fault
	}
	return nil
}

// loadNow waits for a load of what r has read.
func (l *Loader[T]) loadNow(ctx context.Context, r *read[T], forced bool) (value T, err error) {
	joined, err := l.start(ctx, []*read[T]{r}, false, forced)
	if err != nil {
		return value, err
	}
	return l.wait(ctx, joined[0], r, waiting{began: time.Now(), forced: forced})
}

// waiting is how a caller waits.
type waiting struct {
	began  time.Time
	forced bool // nothing older is served
}

// wait returns the outcome of f, which the caller has joined and which it leaves, or
// what r has read if that may be served instead.
func (l *Loader[T]) wait(ctx context.Context, f *flight[T], r *read[T], w waiting) (value T, err error) {
	behind := false
	defer func() { l.flights.leave(f, behind) }()
	if r.shares && !r.tooLate {
		var end func(*error)
		ctx, end = l.beginWait(ctx)
		defer end(&err)
	}
	if parent := runOf(ctx); parent != nil && !r.tooLate {
		if !parent.await(f.batch.run) {
			return value, &cache.Error{Op: "load", Backend: l.store.cache.Name(), Key: r.key, Err: cache.ErrRecursiveLoad}
		}
		defer parent.stopWaiting(f.batch.run)
	}
	canRescue := func() bool { return !w.forced && r.phase() == rescuable }
	var impatient <-chan time.Time
	if l.policy.Patience > 0 && canRescue() {
		timer := time.NewTimer(l.policy.Patience - time.Since(w.began))
		defer timer.Stop()
		impatient = timer.C
	}
	for loading := true; loading; {
		select {
		case <-f.loaded:
			loading = false
		case <-impatient: // once
			if canRescue() {
				behind = true
				return l.answer(ctx, r, rescuable)
			}
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) && canRescue() {
				behind = true
				return l.answer(ctx, r, rescuable)
			}
			return value, ctx.Err()
		}
	}
	l.awaitStored(ctx, f, impatient)
	if f.err != nil && !errors.Is(f.err, ErrMissing) && canRescue() {
		return l.answer(ctx, r, rescuable)
	}
	switch {
	case f.panicked != nil && !r.tooLate:
		err = f.err // for the observer
		panic(f.panicked)
	case f.err != nil:
		return value, f.err
	case l.store.keeps || !f.taken.Swap(true):
		return f.e.value, nil
	}
	return l.store.copy(f.e)
}

// awaitStored returns when the value of f is stored, or earlier if the store may hang: at
// half of the time that ctx has left, at the end of Patience, at Limit, or with Close.
func (l *Loader[T]) awaitStored(ctx context.Context, f *flight[T], impatient <-chan time.Time) {
	half, stop := l.store.budget(ctx)
	defer stop()
	select {
	case <-f.done:
	case <-impatient:
	case <-f.batch.ctx.Done(): // also when f is done
	case <-half.Done():
	}
	if isClosed(f.done) && f.savePanic != nil {
		panic(f.savePanic)
	}
}

// Refresh loads the value of key, even if a fresh one is stored, stores it and returns it.
// It does not use a load that is already running, which may have begun before a change of
// the source, and no process stores the value of such a load. If the load of Refresh
// fails, the stored value does not change.
func (l *Loader[T]) Refresh(ctx context.Context, key string) (value T, err error) {
	if err := l.flights.endForRefresh(ctx, key); err != nil {
		return value, err
	}
	r, err := l.read(ctx, key)
	if err != nil {
		return value, err
	}
	return l.loadNow(ctx, r, true)
}

// Expire ends the Fresh phase of key: the next call of Get loads the value, and may return
// the old one as in the Stale or Rescue phase. If the policy has neither phase, Expire
// removes the entry. The value of a load of key that is already running is not stored.
func (l *Loader[T]) Expire(ctx context.Context, key string) error {
	if err := l.flights.end(ctx, key); err != nil {
		return err
	}
	old, err := l.store.get(ctx, key)
	if err != nil {
		return err
	}
	e, err := l.store.rewrite(ctx, key, old, expire)
	if e != nil && err == nil && l.policy.Lease > 0 && !l.store.keeps {
		// The next caller does not wait for a load that began before. The lease ends by
		// itself too.
		_, _ = l.store.cache.Delete(ctx, leaseKey(key))
	}
	return err
}

// Delete removes the values of keys. The values of loads that are already running are not
// stored. If several keys are given and some fail, the error wraps a [*cache.BatchError].
func (l *Loader[T]) Delete(ctx context.Context, keys ...string) error {
	if err := l.flights.end(ctx, keys...); err != nil {
		return err
	}
	if len(keys) == 1 {
		_, err := l.store.cache.Delete(ctx, keys[0])
		return err
	}
	_, err := l.store.cache.DeleteMany(ctx, keys...)
	return err
}

// Close cancels the loads that are running, whose callers get [cache.ErrClosed], and waits
// until they have returned and given their leases back, for which a store has at most two
// seconds. Afterwards Get still serves fresh and stale values. Close does not close the
// cache.
func (l *Loader[T]) Close() error {
	l.flights.close()
	l.stop()
	l.running.Wait()
	return nil
}
