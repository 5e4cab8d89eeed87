package driver

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"
)

// This file has the operations without a fallback.

// Inc adds delta to the integer under key and returns the sum.
func (o *Operations) Inc(ctx context.Context, key string, delta int64, ttl time.Duration) (int64, error) {
	if o.own.counter == nil {
		return 0, fmt.Errorf("counters: %w", errors.ErrUnsupported)
	}
	return o.own.counter.Inc(ctx, key, delta, ttl)
}

// ClearPrefix removes the entries whose key begins with prefix.
func (o *Operations) ClearPrefix(ctx context.Context, prefix string) error {
	if o.own.prefixClearer == nil {
		return fmt.Errorf("clearing one prefix: %w", errors.ErrUnsupported)
	}
	return o.own.prefixClearer.ClearPrefix(ctx, prefix)
}

// TTL returns the remaining TTL of key; 0 with ok=true means that it never expires.
func (o *Operations) TTL(ctx context.Context, key string) (time.Duration, bool, error) {
	if o.own.ttler == nil {
		return 0, false, fmt.Errorf("remaining TTL: %w", errors.ErrUnsupported)
	}
	return o.own.ttler.TTL(ctx, key)
}

// GetWithTTL returns the value of key with its remaining TTL.
func (o *Operations) GetWithTTL(ctx context.Context, key string) ([]byte, time.Duration, bool, error) {
	if o.own.lifeGetter == nil {
		return nil, 0, false, fmt.Errorf("value with remaining TTL: %w", errors.ErrUnsupported)
	}
	return o.own.lifeGetter.GetWithTTL(ctx, key)
}

// Watch reports changes of keys with prefix until ctx is done or changes may have been
// missed.
func (o *Operations) Watch(ctx context.Context, prefix string, grace time.Duration, notices Notices) error {
	if o.own.watcher == nil {
		return fmt.Errorf("notices of changes: %w", errors.ErrUnsupported)
	}
	return o.own.watcher.Watch(ctx, prefix, grace, notices)
}

// WatchIsPartial reports whether Watch may miss changes.
func (o *Operations) WatchIsPartial() bool {
	return o.own.partial != nil && o.own.partial.WatchIsPartial()
}

// Stats returns statistics of the store.
func (o *Operations) Stats(ctx context.Context) (Stats, error) {
	if o.own.stater == nil {
		return UnknownStats, fmt.Errorf("statistics: %w", errors.ErrUnsupported)
	}
	return o.own.stater.Stats(ctx)
}

// Scan lists the entries whose key begins with prefix. No entry follows after ctx is done,
// and no pair after an error.
func (o *Operations) Scan(ctx context.Context, prefix string) iter.Seq2[Entry, error] {
	if o.own.scanner == nil {
		return FailedScan(fmt.Errorf("listing entries: %w", errors.ErrUnsupported))
	}
	return func(yield func(Entry, error) bool) {
		for entry, err := range o.own.scanner.Scan(ctx, prefix) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(Entry{}, err)
				return
			}
			if !yield(entry, nil) {
				return
			}
		}
	}
}

var errEncodes = fmt.Errorf("values without encoding: %w", errors.ErrUnsupported)

// GetValue returns the Go value of key.
func (o *Operations) GetValue(ctx context.Context, key string) (any, bool, error) {
	if o.own.values == nil {
		return nil, false, errEncodes
	}
	return o.own.values.GetValue(ctx, key)
}

// SetValue stores a Go value.
func (o *Operations) SetValue(ctx context.Context, key string, value any, ttl time.Duration) error {
	if o.own.values == nil {
		return errEncodes
	}
	return o.own.values.SetValue(ctx, key, value, ttl)
}

// AddValue stores a Go value only if key is absent, and reports whether it did.
func (o *Operations) AddValue(ctx context.Context, key string, value any, ttl time.Duration) (bool, error) {
	if o.own.values == nil {
		return false, errEncodes
	}
	return o.own.values.AddValue(ctx, key, value, ttl)
}

var errNoLeases = fmt.Errorf("leases: %w", errors.ErrUnsupported)

// Lease returns the value of key, or a token if the caller may load it.
func (o *Operations) Lease(ctx context.Context, key string, hold time.Duration) (value []byte, ok bool, token string, err error) {
	if o.own.leaser == nil {
		return nil, false, "", errNoLeases
	}
	return o.own.leaser.Lease(ctx, key, hold)
}

// Fill stores value if token is still the lease of key, and reports whether it did.
func (o *Operations) Fill(ctx context.Context, key, token string, value []byte, ttl time.Duration) (bool, error) {
	if o.own.leaser == nil {
		return false, errNoLeases
	}
	return o.own.leaser.Fill(ctx, key, token, value, ttl)
}

// Release ends the lease of key if token is that lease.
func (o *Operations) Release(ctx context.Context, key, token string) error {
	if o.own.leaser == nil {
		return errNoLeases
	}
	return o.own.leaser.Release(ctx, key, token)
}

// LeaseValue is Lease for Go values.
func (o *Operations) LeaseValue(ctx context.Context, key string, hold time.Duration) (value any, ok bool, token string, err error) {
	if o.own.valueLeaser == nil {
		return nil, false, "", errNoLeases
	}
	return o.own.valueLeaser.LeaseValue(ctx, key, hold)
}

// FillValue is Fill for Go values.
func (o *Operations) FillValue(ctx context.Context, key, token string, value any, ttl time.Duration) (bool, error) {
	if o.own.valueLeaser == nil {
		return false, errNoLeases
	}
	return o.own.valueLeaser.FillValue(ctx, key, token, value, ttl)
}

var errNoSwap = fmt.Errorf("compare-and-swap: %w", errors.ErrUnsupported)

// CompareAndSwap replaces the value of key if it equals old, and reports whether it did.
func (o *Operations) CompareAndSwap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	if o.own.swapper == nil {
		return false, errNoSwap
	}
	return o.own.swapper.CompareAndSwap(ctx, key, old, value, ttl)
}

// CompareAndSwapValue is CompareAndSwap for Go values.
func (o *Operations) CompareAndSwapValue(ctx context.Context, key string, old, value any, ttl time.Duration) (bool, error) {
	if o.own.valueSwapper == nil {
		return false, errNoSwap
	}
	return o.own.valueSwapper.CompareAndSwapValue(ctx, key, old, value, ttl)
}
