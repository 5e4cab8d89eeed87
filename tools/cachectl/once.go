package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

const (
	// How often a run by somebody else is looked after.
	firstPause   = 5 * time.Millisecond
	longestPause = 250 * time.Millisecond
)

// once lets callers with one key at one time share a run.
type once struct {
	cache    *cache.Cache
	key      string
	life     timeout
	lease    time.Duration
	patience time.Duration // what the store may take for an answer
	refresh  bool          // only a run under way answers
	warn     func(error)
}

// obtain returns the answer of the store, or that of a run by somebody else. If
// there is neither, it returns the lease under which to run the command.
func (o *once) obtain(ctx context.Context) (*recording, *lease, error) {
	if !o.refresh {
		if r, err := o.load(ctx, o.key); r != nil || err != nil {
			return r, nil, err
		}
	}
	held := newLease(o.cache, "exec-lease:"+o.key, o.lease, o.patience)
	awaited := ""
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		holder, taken, err := o.claim(ctx, held)
		if err != nil {
			return nil, nil, err
		}
		if holder == "" || holder != awaited {
			// Looked for after the claim: who gives a lease back has stored before.
			r, err := o.outcome(ctx, awaited)
			if r == nil && err == nil && taken {
				return nil, held, nil
			}
			if taken {
				held.release(ctx)
			}
			if r != nil || err != nil {
				return r, nil, err
			}
		}
		awaited = holder
		time.Sleep(pause/2 + rand.N(pause/2))
	}
}

// claim takes the lease where nobody holds it, and tells who does.
func (o *once) claim(ctx context.Context, held *lease) (holder string, taken bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, o.patience)
	defer cancel()
	holder, err = held.holder(ctx)
	if err != nil || holder != "" {
		return holder, false, err
	}
	taken, err = held.take(ctx)
	return "", taken, err
}

// outcome returns what there is to answer with once the run of awaited has ended.
func (o *once) outcome(ctx context.Context, awaited string) (*recording, error) {
	r, err := o.load(ctx, o.key)
	if err != nil || r != nil && (!o.refresh || r.run == awaited) {
		return r, err
	}
	if awaited == "" {
		return nil, nil
	}
	return o.load(ctx, failureKey(awaited))
}

// load returns nil where there is no recording. A damaged one will be replaced.
func (o *once) load(ctx context.Context, key string) (*recording, error) {
	ctx, cancel := context.WithTimeout(ctx, o.patience)
	defer cancel()
	data, ok, err := o.cache.Get(ctx, key)
	if err == nil && ok {
		r, damage := decodeRecording(data)
		if damage == nil {
			return r, nil
		}
		err = damage
	}
	if errors.Is(err, cache.ErrCorrupt) {
		o.warn(err)
		return nil, nil
	}
	return nil, err
}

// store keeps r for later callers.
func (o *once) store(ctx context.Context, r *recording) error {
	ctx, cancel := context.WithTimeout(ctx, o.patience)
	defer cancel()
	return o.cache.Set(ctx, o.key, r.encode(), o.life.options()...)
}

// share keeps r for those alone who wait for this run: what was asked for while
// it ran has been answered, though the answer is not one to remember.
func (o *once) share(ctx context.Context, r *recording) error {
	ctx, cancel := context.WithTimeout(ctx, o.patience)
	defer cancel()
	return o.cache.Set(ctx, failureKey(r.run), r.encode(), cache.Timeout(o.lease))
}

func failureKey(run string) string { return "exec-failure:" + run }
