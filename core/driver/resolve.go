package driver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Operations has every operation on a backend: the backend's own method, or the
// fallback. Operations without a fallback return an error wrapping
// errors.ErrUnsupported.
//
// A wrapper embeds *Operations and overrides the methods that it changes:
//
//	type counting struct {
//		*driver.Operations
//		gets atomic.Int64
//	}
//
//	func (c *counting) Get(ctx context.Context, key string) ([]byte, bool, error) {
//		c.gets.Add(1)
//		return c.Operations.Get(ctx, key)
//	}
//
// The methods of Operations call the wrapped backend, never a method that the wrapper
// overrides: GetMany does not call counting.Get. So a wrapper that changes keys or
// values overrides every method that has them.
type Operations struct {
	Backend // what was resolved

	// own has the optional interfaces of the backend; nil if it does not implement
	// them.
	own optional
}

type optional struct {
	haser         Haser
	manyGetter    ManyGetter
	manySetter    ManySetter
	manyDeleter   ManyDeleter
	counter       Counter
	prefixClearer PrefixClearer
	ttler         TTLer
	pinger        Pinger
	copier        Copier
	values        ValueKeeper
	leaser        Leaser
	valueLeaser   ValueLeaser
	swapper       Swapper
	namer         Namer
}

// Resolve finds the optional interfaces of backend, once.
func Resolve(backend Backend) *Operations {
	o := &Operations{Backend: backend}
	o.own.haser, _ = backend.(Haser)
	o.own.manyGetter, _ = backend.(ManyGetter)
	o.own.manySetter, _ = backend.(ManySetter)
	o.own.manyDeleter, _ = backend.(ManyDeleter)
	o.own.counter, _ = backend.(Counter)
	o.own.prefixClearer, _ = backend.(PrefixClearer)
	o.own.ttler, _ = backend.(TTLer)
	o.own.pinger, _ = backend.(Pinger)
	o.own.copier, _ = backend.(Copier)
	o.own.values, _ = backend.(ValueKeeper)
	o.own.leaser, _ = backend.(Leaser)
	o.own.valueLeaser, _ = backend.(ValueLeaser)
	o.own.swapper, _ = backend.(Swapper)
	o.own.namer, _ = backend.(Namer)
	return o
}

// Has reports whether key is present. An entry with damaged bytes is absent.
func (o *Operations) Has(ctx context.Context, key string) (bool, error) {
	if o.own.haser != nil {
		ok, err := o.own.haser.Has(ctx, key)
		if !IsUnsupported(err) {
			return ok, err
		}
	}
	_, ok, err := o.Backend.Get(ctx, key)
	if IsCorrupt(err) {
		return false, nil
	}
	return ok && err == nil, err
}

// GetMany returns one value per key, nil for a miss.
func (o *Operations) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	if o.own.manyGetter != nil {
		values, err := o.own.manyGetter.GetMany(ctx, keys)
		if !IsUnsupported(err) {
			return values, err
		}
	}
	values := make([][]byte, len(keys))
	errs := EachKey(ctx, len(keys), func(i int) error {
		value, ok, err := o.Backend.Get(ctx, keys[i])
		if ok && err == nil {
			values[i] = notNil(value)
		}
		return err
	})
	return values, BatchOf(keys, errs)
}

func notNil(value []byte) []byte {
	if value == nil {
		return []byte{}
	}
	return value
}

// SetMany stores items with one ttl.
func (o *Operations) SetMany(ctx context.Context, items []Item, ttl time.Duration) error {
	if o.own.manySetter != nil {
		err := o.own.manySetter.SetMany(ctx, items, ttl)
		if !IsUnsupported(err) {
			return err
		}
	}
	keys := make([]string, len(items))
	for i, item := range items {
		keys[i] = item.Key
	}
	return BatchOf(keys, EachKey(ctx, len(items), func(i int) error {
		return o.Backend.Set(ctx, keys[i], items[i].Value, ttl)
	}))
}

// DeleteMany removes keys; deleted[i] reports whether keys[i] was present.
func (o *Operations) DeleteMany(ctx context.Context, keys []string) ([]bool, error) {
	if o.own.manyDeleter != nil {
		deleted, err := o.own.manyDeleter.DeleteMany(ctx, keys)
		if !IsUnsupported(err) {
			return deleted, err
		}
	}
	deleted := make([]bool, len(keys))
	errs := EachKey(ctx, len(keys), func(i int) (err error) {
		deleted[i], err = o.Backend.Delete(ctx, keys[i])
		return err
	})
	return deleted, BatchOf(keys, errs)
}

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

// Ping reports whether the store can be used. The fallback reads a key.
func (o *Operations) Ping(ctx context.Context) error {
	if o.own.pinger != nil {
		err := o.own.pinger.Ping(ctx)
		if !IsUnsupported(err) {
			return err
		}
	}
	_, _, err := o.Backend.Get(ctx, "ping")
	if IsCorrupt(err) {
		return nil
	}
	return err
}

// CopiesValues reports whether the backend shares no memory with its callers.
func (o *Operations) CopiesValues() bool {
	return o.own.copier != nil && o.own.copier.CopiesValues()
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

// CompareAndSwap replaces the value of key if it equals old, and reports whether it did.
func (o *Operations) CompareAndSwap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	if o.own.swapper == nil {
		return false, fmt.Errorf("compare-and-swap: %w", errors.ErrUnsupported)
	}
	return o.own.swapper.CompareAndSwap(ctx, key, old, value, ttl)
}

// Name returns the name of the backend in errors and events.
func (o *Operations) Name() string {
	if o.own.namer != nil {
		return o.own.namer.Name()
	}
	name := strings.TrimPrefix(fmt.Sprintf("%T", o.Backend), "*")
	return strings.TrimSuffix(name, ".Backend")
}

var (
	_ Backend       = (*Operations)(nil)
	_ Haser         = (*Operations)(nil)
	_ ManyGetter    = (*Operations)(nil)
	_ ManySetter    = (*Operations)(nil)
	_ ManyDeleter   = (*Operations)(nil)
	_ Counter       = (*Operations)(nil)
	_ PrefixClearer = (*Operations)(nil)
	_ TTLer         = (*Operations)(nil)
	_ Pinger        = (*Operations)(nil)
	_ Copier        = (*Operations)(nil)
	_ ValueKeeper   = (*Operations)(nil)
	_ Leaser        = (*Operations)(nil)
	_ ValueLeaser   = (*Operations)(nil)
	_ Swapper       = (*Operations)(nil)
	_ Namer         = (*Operations)(nil)
)
