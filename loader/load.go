package loader

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// start joins the flights of reads, and starts loads for those that have none: one for
// all of them if load takes many keys. joined[i] belongs to reads[i].
func (l *Loader[T]) start(ctx context.Context, reads []*read[T], behind, forced bool) (joined []*flight[T], err error) {
	fs := &l.flights
	joined = make([]*flight[T], len(reads))
	var batches []*batch[T]
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.closed {
		return nil, errClosed
	}
	for i, r := range reads {
		if len(batches) == 0 || !l.many {
			batches = append(batches, &batch[T]{run: newRun(), forced: forced})
		}
		var isNew bool
		if joined[i], isNew = fs.join(r, behind, batches[len(batches)-1]); !isNew && !l.many {
			batches = batches[:len(batches)-1]
		}
		r.shares = !isNew
		if !behind && !r.tooLate {
			joined[i].batch.limits.add(ctx)
		}
	}
	for _, b := range batches {
		if len(b.flights) > 0 {
			b.ctx, b.cancel = context.WithCancelCause(context.WithValue(context.WithoutCancel(ctx), runKey{}, b.run))
			stop := func() {}
			if l.policy.Limit > 0 {
				b.ctx, stop = context.WithTimeoutCause(b.ctx, l.policy.Limit, ErrLate)
			}
			l.running.Go(func() {
				defer stop()
				l.fly(b)
			})
		}
	}
	return joined, nil
}

var errClosed = fmt.Errorf("loader: %w", cache.ErrClosed)

// fly loads the keys of b and stores their values.
func (l *Loader[T]) fly(b *batch[T]) {
	defer b.cancel(nil)
	defer l.abort(b)
	defer context.AfterFunc(l.ctx, func() { b.cancel(errClosed) })()
	// When the context ends, callers do not wait for a load that ignores it.
	defer context.AfterFunc(b.ctx, func() { l.fail(b, context.Cause(b.ctx)) })()

	pending := b.flights
	const first, last = 5 * time.Millisecond, 200 * time.Millisecond
	for pause := first; ; pause = min(2*pause, last) {
		if pending = l.attempt(b, pending, pause > first); len(pending) == 0 {
			return
		}
		// Other processes load the rest.
		if err := sleep(b.ctx, pause/2+rand.N(pause)); err != nil {
			return
		}
	}
}

// attempt loads the keys of pending that no other process is loading, and returns the
// rest.
func (l *Loader[T]) attempt(b *batch[T], pending []*flight[T], again bool) (rest []*flight[T]) {
	if l.slots != nil {
		select {
		case l.slots <- struct{}{}:
			defer func() { <-l.slots }()
		case <-b.urgent:
		case <-b.ctx.Done():
			return pending
		}
	}
	pending = l.flights.wanted(pending)
	claims := make([]claim, len(pending))
	ctx, stop := l.flights.claimContext(b)
	parallel(len(pending), func(i int) { claims[i] = l.claim(ctx, b, pending[i], again) })
	stop()
	var claimed []*flight[T]
	var mine []claim
	for i, f := range pending {
		switch claims[i].state {
		case loadsHere:
			claimed, mine = append(claimed, f), append(mine, claims[i])
		case loadsElsewhere:
			rest = append(rest, f)
		}
	}
	switch {
	case b.ctx.Err() != nil:
		l.release(b.ctx, mine...)
	case len(claimed) > 0:
		if len(rest) == 0 {
			l.flights.endLimits(b)
		}
		l.loadClaimed(b, claimed, mine)
	}
	return rest
}

// loadClaimed calls load for the keys of flights and stores what it returns.
func (l *Loader[T]) loadClaimed(b *batch[T], flights []*flight[T], claims []claim) {
	defer func() { l.release(b.ctx, claims...) }()
	in := &inside{cache: l.store.cache}
	keys := make([]string, len(flights))
	for i, f := range flights {
		keys[i] = f.key
	}
	began := time.Now()
	results := l.call(context.WithValue(b.ctx, scopeKey{}, scope{in: in}), keys)
	parallel(len(flights), func(i int) {
		l.finish(b, flights[i], &claims[i], l.entryOf(results[i], began, in.of(keys[i])), results[i].err)
	})
}

// result is the result of load for one key.
type result[T any] struct {
	value T
	err   error
}

// newEntry is an entry and whether it is stored.
type newEntry[T any] struct {
	*entry[T]
	noStore bool
}

// entryOf returns the entry of a result whose load began at began.
func (l *Loader[T]) entryOf(r result[T], began time.Time, w wishes) newEntry[T] {
	p := &l.policy
	e := &entry[T]{value: r.value}
	e.loaded, e.tags = began, w.tags
	e.missing = r.err != nil
	if e.missing {
		e.fresh = p.Missing
	} else {
		e.fresh, e.stale, e.rescue = p.Fresh, p.Stale, p.Rescue
	}
	if w.life != 0 {
		e.fresh = min(w.life, maxLife-e.stale-e.rescue)
	} else if p.Jitter > 0 {
		e.fresh -= time.Duration(rand.Float64() * p.Jitter * float64(e.fresh))
	}
	if l.store.keeps && !e.missing && len(e.tags) == 0 {
		e.clock = l.clock
		e.quick = l.clock.at(began) + int64(e.fresh) - int64(p.Early*float64(e.fresh))
	}
	return newEntry[T]{e, w.noStore}
}

// maxLife is the longest life of an entry.
const maxLife = time.Duration(1<<63 - 1)

// finish ends the load of f with the result of load.
func (l *Loader[T]) finish(b *batch[T], f *flight[T], c *claim, e newEntry[T], err error) {
	if err != nil && !errors.Is(err, ErrMissing) {
		l.failOne(b, f, err)
		return
	}
	e.nonce = newNonce()
	if old := f.old.e; old != nil && old.nonce != 0 {
		e.nonce = old.nonce.next(1)
	}
	if encoding := l.store.encode(e.entry); encoding != nil {
		l.failOne(b, f, &cache.Error{Op: "load", Backend: l.store.cache.Name(), Key: f.key, Err: encoding})
		return
	}
	if f.set(outcome[T]{e: e.entry, err: err}) && !e.noStore {
		l.save(b, f, c, e.entry)
	}
	l.flights.land(f, 0)
}

// save stores e as the entry of f, unless the entry was changed since the load began.
// Failures of the store are reported by the observer of the cache.
func (l *Loader[T]) save(b *batch[T], f *flight[T], c *claim, e *entry[T]) {
	ctx := b.ctx
	select {
	case f.storing <- struct{}{}:
		defer func() { <-f.storing }()
	case <-ctx.Done():
		return
	}
	if f.old.fault != nil {
		return
	}
	s, old := l.store, f.old.e
	ended := l.flights.isEnded(f)
	tookOver := b.forced && old != nil && old.nonce != 0 && !s.noSwap.Load()
	ttl, lives := e.timeout()
	switch {
	case tookOver && ended:
		l.removeOlder(ctx, f.key, old)
	case tookOver:
		l.saveRefresh(ctx, f.key, old, e)
	case ended:
	case b.forced && c.token == "" && l.flights.isSuperseded(f): // a later Refresh may have stored its value
		if old != nil {
			l.removeOlder(ctx, f.key, old)
		}
	case !lives && e.missing && old != nil:
		_, _ = s.cache.Delete(ctx, f.key)
	case !lives:
	case old != nil:
		replaced, err := s.replace(ctx, f.key, old, e, ttl)
		if b.forced && !replaced && err == nil { // by a load that may have begun before
			_, _ = s.cache.Delete(ctx, f.key)
		}
	case c.token != "":
		if s.fill(ctx, f.key, c.token, e, ttl) {
			c.token = "" // the lease has ended
		}
	default:
		_ = s.add(ctx, f.key, e, ttl)
	}
}

// fail ends the flights of b that have no outcome yet.
func (l *Loader[T]) fail(b *batch[T], err error) {
	for _, f := range b.flights {
		l.failOne(b, f, err)
	}
}

// failOne ends f with the failure of its load, unless it has an outcome. The failure
// starts the backoff, unless the load was cancelled because all callers had left.
func (l *Loader[T]) failOne(b *batch[T], f *flight[T], err error) {
	l.failWith(b, f, outcome[T]{err: err})
}

// failWith is failOne that reports whether f had no outcome.
func (l *Loader[T]) failWith(b *batch[T], f *flight[T], o outcome[T]) bool {
	backoff := l.policy.Backoff
	if cause := context.Cause(b.ctx); cause != nil && o.panicked == nil {
		o.err = cause // load may have returned a less precise error
	}
	unwanted := o.err == context.Canceled || o.err == errClosed || l.flights.isDropped(f)
	if unwanted {
		backoff = 0
	}
	if !f.set(o) {
		return false
	}
	l.flights.land(f, backoff)
	if !unwanted && l.policy.OnError != nil {
		l.policy.OnError(b.ctx, f.key, o.err)
	}
	return true
}

// abort ends the flights of b that have not ended, also after a panic.
func (l *Loader[T]) abort(b *batch[T]) {
	o := outcome[T]{err: errGoexit}
	if p := recover(); p != nil {
		o.panicked = panicOf(p)
		o.err = errorOf(o.panicked)
	}
	for _, f := range b.flights {
		if !l.failWith(b, f, o) {
			l.flights.landPanicked(f, o.panicked)
		}
	}
}

// sleep returns after d or with the error of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// parallel calls do for 0 to n-1, several at a time. It panics if one of the calls does.
func parallel(n int, do func(i int)) {
	if n == 1 {
		do(0)
		return
	}
	const atATime = 16
	var group sync.WaitGroup
	var panicked atomic.Value
	for first := range min(n, atATime) {
		group.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					panicked.CompareAndSwap(nil, &p)
				}
			}()
			for i := first; i < n; i += atATime {
				do(i)
			}
		})
	}
	group.Wait()
	if p, ok := panicked.Load().(*any); ok {
		panic(*p)
	}
}
