package main

import (
	"context"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// lease is the permission to run a command, valid for all processes and machines that
// share the store.
//
// A lease of the store cannot be extended. So a runner takes two leases, on two keys, and
// replaces the one that ends first while it holds the other. Another runner needs both. If
// the runner dies, both end.
type lease struct {
	flags  execFlags
	cache  *cache.Cache
	halves [2]half
	ended  chan struct{} // closed when keep has ended; nil before keep
	stop   context.CancelFunc
}

// renewPause is the time between attempts to take a half that another caller holds. A
// caller that waits for the lease holds a half for a moment at each of its attempts.
const renewPause = 10 * time.Millisecond

type half struct {
	key   string
	token string // empty if it is not held
	end   time.Time
}

func newLease(c *cache.Cache, key string, flags execFlags) *lease {
	l := &lease{flags: flags, cache: c}
	l.halves[0].key, l.halves[1].key = "exec-lease-0:"+key, "exec-lease-1:"+key
	return l
}

// take takes the lease and reports whether it got it. If not, it holds no half.
func (l *lease) take(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, l.flags.cacheTimeout)
	defer cancel()
	for i := range l.halves {
		if err := l.takeHalf(ctx, i); err != nil || l.halves[i].token == "" {
			l.release(ctx)
			return false, err
		}
	}
	return true, nil
}

func (l *lease) takeHalf(ctx context.Context, i int) (err error) {
	h := &l.halves[i]
	h.end = time.Now().Add(l.flags.hold)
	_, _, h.token, err = l.cache.Lease(ctx, h.key, l.flags.hold)
	return err
}

// keep renews the lease until release.
func (l *lease) keep(ctx context.Context) {
	ctx, l.stop = context.WithCancel(ctx)
	l.ended = make(chan struct{})
	go func() {
		defer close(l.ended)
		ticker := time.NewTicker(l.flags.hold / 4)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				l.renew(ctx)
			}
		}
	}()
}

// renew replaces the half that ends first. It tries until it succeeds or the next renewal
// is due. It ignores errors: the other half lasts until then.
func (l *lease) renew(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, l.flags.hold/4)
	defer cancel()
	first := 0
	if l.halves[1].end.Before(l.halves[0].end) {
		first = 1
	}
	old := l.halves[first]
	l.releaseHalf(ctx, first)
	for {
		if err := l.takeHalf(ctx, first); err == nil && l.halves[first].token != "" {
			return
		}
		l.halves[first].end = old.end // the next renewal is of this half again
		select {
		case <-time.After(renewPause):
		case <-ctx.Done():
			return
		}
	}
}

// release ends the lease. It ignores errors: the lease ends by itself.
func (l *lease) release(ctx context.Context) {
	if l.stop != nil {
		l.stop()
		<-l.ended
	}
	ctx, cancel := context.WithTimeout(ctx, l.flags.cacheTimeout)
	defer cancel()
	for i := range l.halves {
		l.releaseHalf(ctx, i)
	}
}

func (l *lease) releaseHalf(ctx context.Context, i int) {
	if h := &l.halves[i]; h.token != "" {
		_ = l.cache.Release(ctx, h.key, h.token)
		h.token = ""
	}
}
