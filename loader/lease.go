package loader

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// While one process loads an entry again, it holds the lease of leaseKey(key). Nothing is
// stored under that key. The key of the entry cannot be leased, because it is present.
const (
	leasePrefix = "loader-lease:"

	// maxLeased is the length of the longest key to which leasePrefix is added. With it, the
	// keys of stores that limit their length, such as memcached, could be too long.
	maxLeased = 128
)

// leaseKey returns the key that is leased while the entry of key is loaded again. It is not
// longer than key, or short.
func leaseKey(key string) string {
	if len(key) > maxLeased {
		sum := sha256.Sum256([]byte(key))
		key = hex.EncodeToString(sum[:])
	}
	return leasePrefix + key
}

// releaseTimeout bounds what a load that has ended or was cancelled still does about its
// leases, which end by themselves too.
const releaseTimeout = time.Second

// claim is the decision which process loads a key.
type claim struct {
	state      claimState
	key, token string // the lease that this process holds; empty for none
}

type claimState int

const (
	loadsHere      claimState = iota // this process loads the key
	loadedBefore                     // another load has stored a fresh entry
	loadsElsewhere                   // another process loads the key
)

// claim finds out who loads f.key, and reads the entry anew if it may have changed since
// the caller read it. ctx bounds what the store may take: after a failure, the key is
// loaded here without further calls, which would only cost time.
func (l *Loader[T]) claim(ctx context.Context, b *batch[T], f *flight[T], again bool) claim {
	if f.old.fault != nil || l.flights.isEnded(f) { // not stored: a later load needs the lease
		return claim{}
	}
	if b.forced {
		return l.takeOver(ctx, f)
	}
	if again || l.flights.counter(f.key).Load() != f.old.landed {
		if l.reread(ctx, f) {
			return claim{state: loadedBefore}
		}
	}
	hold := l.policy.Lease
	if hold == 0 || f.old.fault != nil || l.store.noLeases.Load() {
		return claim{}
	}
	for {
		if f.old.e == nil {
			r := read[T]{key: f.key, landed: f.old.landed}
			var token string
			if r.e, token, r.fault = l.store.lease(ctx, f.key, hold); r.fault != nil {
				return l.withoutLease(f, r.fault)
			}
			if r.e == nil {
				return claimOf(f.key, token)
			}
			if l.found(ctx, f, &r) {
				return claim{state: loadedBefore}
			}
			if f.old.e.isUnreadable() {
				return claim{} // under WithIgnoreErrors, further reads would find nothing
			}
		}
		if l.store.keeps {
			return claim{} // no other process
		}
		key := leaseKey(f.key)
		_, _, token, err := l.store.cache.Lease(ctx, key, hold)
		if err != nil {
			return l.withoutLease(f, err)
		}
		c := claimOf(key, token)
		if c.state != loadsHere {
			return c
		}
		// Another process may have loaded or removed the entry since it was read.
		isNew := l.reread(ctx, f)
		if !isNew && f.old.e != nil {
			return c
		}
		l.release(ctx, c)
		if isNew {
			return claim{state: loadedBefore}
		}
		if f.old.fault != nil {
			return claim{}
		}
		// The entry was removed: it is filled under a lease of its own.
	}
}

func claimOf(key, token string) claim {
	if token == "" {
		return claim{state: loadsElsewhere}
	}
	return claim{key: key, token: token}
}

// withoutLease is the claim of a process that cannot get a lease.
func (l *Loader[T]) withoutLease(f *flight[T], err error) claim {
	switch {
	case driver.IsUnsupported(err):
		l.store.noLeases.Store(true)
	case !isMistake(err):
		f.old.fault = err
	}
	return claim{}
}

// reread reads the entry of f and reports whether f has landed with it.
func (l *Loader[T]) reread(ctx context.Context, f *flight[T]) bool {
	r := read[T]{key: f.key, landed: l.flights.counter(f.key).Load()}
	r.e, r.fault = l.store.get(ctx, f.key)
	return l.found(ctx, f, &r)
}

// found reports whether f has landed with what r has read. Otherwise r is what f
// replaces.
func (l *Loader[T]) found(ctx context.Context, f *flight[T], r *read[T]) bool {
	checkTags(ctx, l.store.cache, r)
	if !r.isNewer(&f.old) {
		f.old = *r
		return false
	}
	o := outcome[T]{e: r.e}
	if r.e.missing {
		o.err = ErrMissing
	}
	f.set(o)
	l.flights.land(f, 0)
	return true
}

// release ends those leases of claims that this process holds, so that other processes need
// not wait for their end. The load may have been cancelled. It runs in the background:
// neither callers nor the next load wait for a store that hangs.
func (l *Loader[T]) release(ctx context.Context, claims ...claim) {
	claims = slices.DeleteFunc(slices.Clone(claims), func(c claim) bool { return c.token == "" })
	if len(claims) == 0 {
		return
	}
	l.running.Go(func() {
		defer func() { _ = recover() }() // the observer may panic, and no caller waits
		ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
		defer stop()
		parallel(len(claims), func(i int) { _ = l.store.cache.Release(ctx, claims[i].key, claims[i].token) })
	})
}
