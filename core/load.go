package cache

import (
	"bytes"
	"context"
	"errors"
	"math"
	"reflect"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// GetOrSet returns the value of key. On a miss it calls load, returns what load
// returned and stores it.
//
// Callers of one Cache that miss the same key at the same time share one load, and
// each owns the value that it gets, unless the view is [WithoutEncoding]. load runs
// with the values of the first caller's context; its own context ends when every
// caller that waits for it has left. A panic in load reaches all of them. An error of
// load is returned as it is and nothing is stored. If load calls GetOrSet for its own
// key with its context, that call returns [ErrRecursiveLoad].
//
// A write of key through the same Cache (Set, Add, Delete, Inc, Clear and batches)
// ends the load: its value is returned to the callers that wait and is not stored,
// and later callers start a load of their own. After a miss the value is stored with
// Add, so that it never replaces what another process has stored meanwhile. [Lease]
// extends both promises to all processes that share the store.
//
// A failure of the store does not keep load from running and is not returned; the
// observer receives it. If ctx has a deadline, the store may use half of the time
// that is left, and load gets the rest. Mistakes are returned: an empty key, a
// negative timeout, a closed cache, and a loaded value that cannot be encoded (with
// that value). A zero value with a nil error was returned by load, now or when it was
// stored.
func (v View[T]) GetOrSet(ctx context.Context, key string, load func(ctx context.Context) (T, error), options ...SetOption) (T, error) {
	c := v.cache
	var zero T
	p, err := c.planOf(ctx, options)
	if err != nil {
		return zero, c.wrap(opGetOrSet, key, err)
	}
	for again := false; ; again = true {
		stored := c.flights.stored.Load()
		value, ok, fault, err := v.lookupWithin(ctx, key)
		switch ended := ctx.Err(); {
		case ok:
			return value, nil
		case isMistake(fault):
			return zero, err
		case ended != nil: // also during a clean miss, and under WithIgnoreErrors
			return zero, c.wrap(opGetOrSet, key, ended)
		}
		if loadOf(ctx).isLoading(&c.flights, key, v.identity()) {
			return zero, c.wrap(opGetOrSet, key, ErrRecursiveLoad)
		}
		if fault != nil || again {
			stored = math.MaxUint64 // another read would only cost time
		}
		f, start := c.flights.join(ctx, key, v.identity(), stored, p.limit)
		if f == nil {
			continue // a load has stored its value after the read
		}
		if start != nil {
			p.fault = fault
			go v.fly(start, f, load, p)
			return v.wait(ctx, f)
		}
		return v.waitShared(ctx, f)
	}
}

// identity differs between views that cannot share loads.
func (v View[T]) identity() any { return viewIdentity[T]{v.values != nil} }

type viewIdentity[T any] struct{ kept bool }

// lookupWithin is lookup in half of the time that ctx has left.
func (v View[T]) lookupWithin(ctx context.Context, key string) (value T, ok bool, fault, err error) {
	if _, limited := ctx.Deadline(); !limited {
		return v.lookup(ctx, key)
	}
	half, stop := halfOf(ctx)
	defer stop()
	return v.lookup(half, key)
}

// plan has the parameters of a load, from the call that starts it.
type plan struct {
	ttl   time.Duration
	hold  time.Duration // of the lease; 0 without one
	limit limit
	fault error // of the read before the load
}

func (c *Cache) planOf(ctx context.Context, options []SetOption) (p plan, err error) {
	if p.ttl, err = c.lifetime(options); err == nil {
		p.hold, err = holdOf(options)
	}
	if deadline, ok := ctx.Deadline(); ok {
		p.limit = limit{deadline, halfway(deadline)}
	}
	return p, err
}

// isStorable reports whether a load may store its value. After a failure of the store
// another attempt would only cost time. A damaged entry is replaced.
func (p *plan) isStorable() bool { return p.fault == nil || driver.IsCorrupt(p.fault) }

// fly runs load and stores its value, under a lease if the plan has one.
func (v View[T]) fly(ctx context.Context, f *flight, load func(ctx context.Context) (T, error), p plan) {
	c := v.cache
	defer c.flights.land(f)
	var held lease
	if p.hold > 0 && p.isStorable() {
		var found *loadedValue[T]
		held, found, p.fault = v.acquire(ctx, f, p)
		switch {
		case found != nil:
			f.load(outcome{value: found.value, copy: found.copy})
			return
		case ctx.Err() != nil: // all callers have left
			c.release(ctx, f.key, &held)
			return
		case c.flights.hasEnded(f): // the value will not be stored, and later callers need the lease now
			defer c.startRelease(ctx, f.key, &held)()
		}
		defer func() {
			f.publish(recover()) // before the store is called again, which may hang
			c.release(ctx, f.key, &held)
		}()
	}
	c.flights.endLimits(f)
	value, err := v.run(ctx, load)
	if err != nil {
		f.load(outcome{err: err})
		return
	}
	l, err := v.prepare(f.key, value)
	f.load(outcome{value: value, err: c.wrap(opGetOrSet, f.key, err), copy: l.copy})
	if err != nil || ctx.Err() != nil || !p.isStorable() {
		return
	}
	event := Event{Op: opAdd, Refused: true} // unless it is stored
	if p.fault != nil {
		event.Op = opSet
	}
	if held.token != "" {
		event.Op = opFill
	}
	ctx = context.WithValue(ctx, flightKey{}, (*flight)(nil)) // what follows is not part of load
	ctx, start := c.watch(ctx, event.Op)
	called := c.flights.fill(f, func() (stored bool) {
		done, err := v.storeLoaded(ctx, event.Op, held, c.full(f.key), l, p.ttl)
		event = storeEvent(event.Op, len(l.data), done, err)
		return err == nil && (done || event.Op != opFill) // the key is present
	})
	if called && event.Err == nil {
		held.token = "" // Fill has ended the lease, or it had ended before
	}
	_ = c.finish(ctx, start, f.key, event) // the caller has its value
}

// run calls load as an operation that the observer and the tracer see.
func (v View[T]) run(ctx context.Context, load func(ctx context.Context) (T, error)) (value T, err error) {
	ctx, end := v.cache.Begin(ctx, OpLoad)
	err = errNoReturn // unless load returns
	defer func() { end(Event{Err: err}) }()
	return load(ctx)
}

var errNoReturn = errors.New("load panicked or ended its goroutine")

// waitShared is wait for a load that another caller has started.
func (v View[T]) waitShared(ctx context.Context, f *flight) (value T, err error) {
	ctx, end := v.cache.Begin(ctx, OpWait)
	err = errNoReturn
	defer func() { end(Event{Err: err}) }()
	return v.wait(ctx, f)
}

// wait returns the outcome of f, which the caller has joined. It returns when the
// value is stored. If ctx has a deadline, it returns at the latest after half of the
// time that is left when the value is loaded.
func (v View[T]) wait(ctx context.Context, f *flight) (value T, err error) {
	c := v.cache
	defer c.flights.leave(f)
	if parent := loadOf(ctx); parent != nil {
		if !parent.await(f) {
			return value, c.wrap(opGetOrSet, f.key, ErrRecursiveLoad)
		}
		defer parent.stopWaiting(f)
	}
	select {
	case <-f.loaded:
	case <-ctx.Done():
		return value, c.wrap(opGetOrSet, f.key, ctx.Err())
	}
	half, stop := halfOf(ctx)
	defer stop()
	select {
	case <-f.done:
		if f.fillPanic != nil {
			panic(keepStack(f.fillPanic))
		}
	case <-half.Done():
	}
	value, err = take[T](f)
	if err != nil && f.outcome.err == nil {
		err = c.wrap(opGetOrSet, f.key, err)
	}
	return value, err
}

// take returns the value of f to its first caller and copies of it to the others.
func take[T any](f *flight) (value T, err error) {
	o := &f.outcome
	if o.panicked != nil {
		panic(o.panicked)
	}
	own := o.value
	if o.copy != nil && f.taken.Swap(true) {
		if own, err = o.copy(); err != nil {
			return value, err
		}
	}
	value, _ = own.(T)
	return value, o.err
}

// lookup is Get that also returns the failure that WithIgnoreErrors hides.
func (v View[T]) lookup(ctx context.Context, key string) (value T, ok bool, fault, err error) {
	c := v.cache
	if fault := check(ctx, key); fault != nil {
		return value, false, fault, c.wrap(opGet, key, fault)
	}
	ctx, start := c.watch(ctx, opGet)
	var data []byte
	if v.values != nil {
		var kept any
		if kept, ok, fault = v.values.GetValue(ctx, c.full(key)); ok && fault == nil {
			if value, ok = kept.(T); !ok {
				ok, fault = isNilOf[T](kept)
			}
		}
	}
	if v.values == nil || fault != nil && driver.IsUnsupported(fault) {
		// As fetch and decode, whose calls take a sixth of a hit of a string in memory.
		if data, ok, fault = c.backend.Get(ctx, c.full(key)); fault != nil {
			data, ok, fault = nil, false, markDamage(fault)
		} else if text, is := any(&value).(*string); ok && is && !c.universal && v.values == nil {
			*text = textOf(data)
		} else if ok {
			if value, fault = v.decode(data); fault == nil {
				v.keep(c.full(key), data, value)
			}
		}
	}
	if c.quiet(fault) {
		return value, ok, nil, nil
	}
	ok = ok && fault == nil
	event := readEvent(opGet, nil, ok, fault)
	event.Bytes = len(data)
	return value, ok, fault, c.finish(ctx, start, key, event)
}

// loadedValue is a loaded value as it is stored.
type loadedValue[T any] struct {
	value T
	data  []byte              // encoded; nil if the value is kept without encoding
	copy  func() (any, error) // see outcome
}

// prepare encodes value for the store and for callers that share the load.
func (v View[T]) prepare(key string, value T) (loadedValue[T], error) {
	c := v.cache
	l := loadedValue[T]{value: value}
	if v.values != nil {
		return l, nil // shared by all callers; encoded only if the backend rejects it
	}
	var err error
	if l.data, err = encode(c, value); err != nil {
		l.copy = func() (any, error) { return nil, c.wrap(opGetOrSet, key, err) }
		return l, err
	}
	if isImmutable[T]() {
		return l, nil
	}
	l.data = v.detach(l.data) // the first caller may write to its value before it is stored
	l.copy = v.copier(l.data)
	return l, nil
}

// detach returns data as memory that the first caller of a load does not own. Over a Copier,
// a []byte and its encoding are the same memory.
func (v View[T]) detach(data []byte) []byte {
	if _, raw := any((*T)(nil)).(*[]byte); raw && v.cache.copies {
		return bytes.Clone(data)
	}
	return data
}

// copier returns a function that decodes data into a value that shares no memory with it.
func (v View[T]) copier(data []byte) func() (any, error) {
	return func() (any, error) {
		copied, err := v.decode(data)
		if raw, ok := any(copied).([]byte); ok {
			return bytes.Clone(raw), err
		}
		return copied, err
	}
}

// isImmutable reports whether values of T share no memory that can be written to.
func isImmutable[T any]() bool {
	kind := reflect.TypeFor[T]().Kind()
	return kind >= reflect.Bool && kind <= reflect.Complex128 || kind == reflect.String
}

// storeLoaded stores the loaded value. It calls only the backend and returns its result.
func (v View[T]) storeLoaded(ctx context.Context, op string, held lease, fullKey string, l loadedValue[T], ttl time.Duration) (stored bool, err error) {
	if op == opFill {
		return v.fillLease(ctx, held, fullKey, l, ttl)
	}
	if v.values != nil {
		if stored, err = v.storeKept(ctx, op, fullKey, l.value, ttl); !driver.IsUnsupported(err) {
			return stored, err
		}
		if l.data, err = encode(v.cache, l.value); err != nil {
			return false, err
		}
	}
	return v.cache.storeData(ctx, op, fullKey, l.data, ttl)
}
