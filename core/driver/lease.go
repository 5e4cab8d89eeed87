package driver

import (
	"context"
	"time"
)

// MaxHold is the longest hold of a lease. The limit lets a store ignore leases when it
// writes an entry that outlives every one of them.
const MaxHold = time.Minute

// Leaser lets one caller at a time load an absent key, over all processes that share
// the store, and does not store what was loaded before the key was written or removed.
//
// A lease saves loads; it is not a lock. If the holder takes longer than hold, another
// caller gets a lease while the first one still works. Only Fill depends on the lease.
//
// A leased key is absent for every other method. A damaged entry is absent for Lease.
// Fallback: none; cache.View.GetOrSet loads once per process.
type Leaser interface {
	// Lease returns the value of key with ok=true if it is present. Otherwise, if no
	// caller holds the lease of key, the caller holds it for hold, and token is not
	// empty. If another caller holds it, token is empty. hold is positive and at most
	// [MaxHold]; a store with a coarser clock rounds it up.
	Lease(ctx context.Context, key string, hold time.Duration) (value []byte, ok bool, token string, err error)

	// Fill stores value if token is the lease of key, ends the lease and returns true.
	// It stores nothing and returns false if, since Lease, anything has changed key
	// (Set, Add, Inc, Delete, Clear, ClearPrefix, batches, another Fill), or if the
	// lease has ended.
	Fill(ctx context.Context, key, token string, value []byte, ttl time.Duration) (filled bool, err error)

	// Release ends the lease of key if token is that lease. Otherwise it does nothing.
	Release(ctx context.Context, key, token string) error
}

// ValueLeaser is [Leaser] for a [ValueKeeper]: LeaseValue and FillValue are Lease and
// Fill of Go values. Release ends both kinds of lease.
// Fallback: none; cache.View.GetOrSet of a view without encoding loads once per
// process.
type ValueLeaser interface {
	LeaseValue(ctx context.Context, key string, hold time.Duration) (value any, ok bool, token string, err error)
	FillValue(ctx context.Context, key, token string, value any, ttl time.Duration) (filled bool, err error)
}

// Swapper replaces the value and the expiry of key in one atomic step if its value
// equals old, byte for byte, and reports whether it did. If key is absent or has
// another value, nothing changes.
// Fallback: none; Cache.CompareAndSwap returns errors.ErrUnsupported.
type Swapper interface {
	CompareAndSwap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (swapped bool, err error)
}

// ValueSwapper is [Swapper] for a [ValueKeeper]. It compares with the operator ==, so
// that two pointers are equal if they point to the same variable. old must be comparable.
// Fallback: none; cache.View.CompareAndSwap of a view without encoding returns
// errors.ErrUnsupported.
type ValueSwapper interface {
	CompareAndSwapValue(ctx context.Context, key string, old, value any, ttl time.Duration) (swapped bool, err error)
}
