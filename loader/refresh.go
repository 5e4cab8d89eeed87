package loader

import (
	"context"
	"errors"
)

// takeOver ends the loads of f.key by other processes: what they return is not stored. It
// holds storing, so that a later Refresh of this process takes over after it.
func (l *Loader[T]) takeOver(ctx context.Context, f *flight[T]) (c claim) {
	select {
	case f.storing <- struct{}{}:
		defer func() { <-f.storing }()
	case <-ctx.Done():
		f.old.fault = ctx.Err()
		return claim{}
	}
	old := &f.old
	isForeign := old.e != nil && old.e.nonce == 0 // kept if the load fails
	if isForeign || old.e != nil && l.store.noSwap.Load() || l.flights.isEnded(f) {
		return claim{}
	}
	old.e, old.fault = l.store.rewrite(ctx, f.key, old.e, func(*entry[T]) bool { return true })
	if old.e != nil || old.fault != nil || l.policy.Lease == 0 || l.store.noLeases.Load() {
		return claim{}
	}
	var err error
	old.e, c.token, err = l.store.lease(ctx, f.key, l.policy.Lease)
	switch {
	case err != nil:
		return l.withoutLease(f, err)
	case old.e == nil && c.token == "":
		old.fault = errHeld
	}
	c.key = f.key
	return c
}

// errHeld prevents the storing of a value of a Refresh. The holder of the lease began its
// load later and will store its value.
var errHeld = errors.New("another process holds the lease")

// saveRefresh stores e, which a Refresh has loaded, in place of old, the entry that its
// takeOver has stored or found. If another Refresh has taken over since, the entry has
// another nonce, but may still have a value from before old. Then e replaces that as well,
// until the other Refresh stores its own value.
func (l *Loader[T]) saveRefresh(ctx context.Context, key string, old, e *entry[T]) {
	const attempts = 10 // each lost to another Refresh
	s, present := l.store, old
	for range attempts {
		ttl, lives := e.timeout()
		if !lives {
			break
		}
		replaced, err := s.replace(ctx, key, present, e, ttl)
		if replaced || err != nil {
			return
		}
		if present, err = s.get(ctx, key); err != nil || !present.isOlder(old) {
			return
		}
		if present.nonce.lineage() != old.nonce.lineage() {
			break // e would be fresh after an Expire
		}
		next := *e // callers read e
		next.nonce = present.nonce.next(present.nonce.changesSince(old.nonce) + 1)
		if s.encode(&next) != nil {
			break
		}
		e = &next
	}
	l.removeOlder(ctx, key, old)
}

// removeOlder removes a value from before old after a Refresh whose value is not stored,
// because callers have that value already.
func (l *Loader[T]) removeOlder(ctx context.Context, key string, old *entry[T]) {
	if present, err := l.store.get(ctx, key); err == nil && present.isOlder(old) {
		_, _ = l.store.cache.Delete(ctx, key)
	}
}

// isOlder reports whether e has a value from before old, the entry with which a Refresh took
// over. If the lineage differs, the key was absent since, or Expire has kept a value that
// may be older.
func (e *entry[T]) isOlder(old *entry[T]) bool {
	switch {
	case e == nil || e.nonce == 0:
		return false
	case e.nonce.lineage() != old.nonce.lineage():
		return e.phase() != fresh
	}
	return e.nonce.isLoadedBefore(old.nonce)
}
