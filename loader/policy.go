package loader

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Policy sets how long a value is served and how it is loaded. A zero field disables its
// feature; only Fresh is required.
//
// A value passes three phases. It is fresh for Fresh, then stale for Stale, then kept
// for Rescue. The store removes it at the end of the last one.
type Policy struct {
	// Fresh is how long a value is served without a load. See [Life].
	Fresh time.Duration

	// Stale is how long after Fresh a value is served at once while one load runs in the
	// background.
	Stale time.Duration

	// Rescue is how long after Fresh and Stale a value is served if its load fails or
	// takes longer than Patience.
	Rescue time.Duration

	// Missing is how long an [ErrMissing] of load is remembered. Meanwhile callers get it
	// without a load.
	Missing time.Duration

	// Early is a fraction of Fresh, from 0 to less than 1. In this last part of Fresh a hit
	// may start a load in the background. The probability grows from 0 to 1, so that keys
	// that are read often are loaded before they are stale.
	Early float64

	// Jitter is the largest fraction, from 0 to less than 1, by which Fresh and Missing
	// are shortened at random for each entry. Entries that were loaded together then
	// expire at different times.
	Jitter float64

	// Patience is how long a caller waits for a load if a value in its Rescue phase is
	// present. After it, the caller gets that value and the load continues.
	Patience time.Duration

	// Limit is the longest time of a load, including its wait for Loads and for the lease
	// of another process. At its end the context of the load is cancelled, and the
	// callers get the value in its Rescue phase or else [ErrLate], even if load does not
	// return. Without Limit, a load in the background runs until it returns or until
	// Close.
	Limit time.Duration

	// Backoff is how long after a failed load this process does not load the key again.
	// Meanwhile callers get the value in its Stale or Rescue phase, or else the
	// error of that load. Refresh, Expire and Delete of the key end it.
	Backoff time.Duration

	// Loads is the maximum number of concurrent calls of load, over all keys. A load for
	// which another load waits is not counted, because the two would wait for each other.
	// The Loader sees only waits in Loaders: if a load waits in [cache.View.GetOrSet] for a
	// load that needs this Loader, both can wait until a context or Limit ends.
	Loads int

	// Lease is the longest time that a load is expected to take, at most
	// [driver.MaxHold]. With it one process at a time loads a key, and a value is not
	// stored if the key was written or removed after its load began. If a key is absent and
	// its load takes longer than Lease, the value is returned but not stored. Without Lease,
	// or if the store is not a [driver.Leaser], each process loads the key, and a value may
	// be stored after another process has removed the key.
	Lease time.Duration

	// OnError, if not nil, is called once for each failed load of a key. It is called even
	// if no caller gets the error, because the load ran in the background or an older
	// value was served. It is not called for [ErrMissing], nor for a load that ended
	// because all its callers had left or by Close. It must be safe for concurrent use
	// and must not panic.
	// The observer of the cache receives the failures of the store.
	OnError func(ctx context.Context, key string, err error)
}

// Validate returns an error that names every field that is out of its range. [New] and
// [NewMany] panic with it.
func (p Policy) Validate() error {
	var errs []error
	must := func(ok bool, field string, value any, want string) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s is %v, must be %s", field, value, want))
		}
	}
	must(p.Fresh > 0, "Fresh", p.Fresh, "positive")
	for _, d := range []struct {
		field string
		value time.Duration
	}{
		{"Stale", p.Stale}, {"Rescue", p.Rescue}, {"Missing", p.Missing}, {"Patience", p.Patience},
		{"Limit", p.Limit}, {"Backoff", p.Backoff}, {"Lease", p.Lease},
	} {
		must(d.value >= 0, d.field, d.value, "zero or positive")
	}
	must(p.Early >= 0 && p.Early < 1, "Early", p.Early, "at least 0 and less than 1")
	must(p.Jitter >= 0 && p.Jitter < 1, "Jitter", p.Jitter, "at least 0 and less than 1")
	must(p.Loads >= 0, "Loads", p.Loads, "zero or positive")
	must(p.Lease <= driver.MaxHold, "Lease", p.Lease, fmt.Sprintf("at most %v", driver.MaxHold))
	longest := time.Duration(math.MaxInt64)
	must(p.Stale <= longest-p.Fresh && p.Rescue <= longest-p.Fresh-p.Stale,
		"Fresh + Stale + Rescue", "too long", fmt.Sprintf("at most %v", longest))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("loader: invalid policy: %w", err)
	}
	return nil
}
