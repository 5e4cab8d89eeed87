package driver

import (
	"context"
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
	decoded       DecodedKeeper
	leaser        Leaser
	valueLeaser   ValueLeaser
	swapper       Swapper
	valueSwapper  ValueSwapper
	namer         Namer
	appender      Appender
	lifeGetter    LifeGetter
	manyLives     ManyLifeGetter
	watcher       Watcher
	partial       PartialWatcher
	stater        Stater
	scanner       Scanner
	placer        Placer
	events        EventSource
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
	o.own.decoded, _ = backend.(DecodedKeeper)
	o.own.leaser, _ = backend.(Leaser)
	o.own.valueLeaser, _ = backend.(ValueLeaser)
	o.own.swapper, _ = backend.(Swapper)
	o.own.valueSwapper, _ = backend.(ValueSwapper)
	o.own.namer, _ = backend.(Namer)
	o.own.appender, _ = backend.(Appender)
	o.own.lifeGetter, _ = backend.(LifeGetter)
	o.own.manyLives, _ = backend.(ManyLifeGetter)
	o.own.watcher, _ = backend.(Watcher)
	o.own.partial, _ = backend.(PartialWatcher)
	o.own.stater, _ = backend.(Stater)
	o.own.scanner, _ = backend.(Scanner)
	o.own.placer, _ = backend.(Placer)
	o.own.events, _ = backend.(EventSource)
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

// GetAppend appends the value of key to dst.
func (o *Operations) GetAppend(ctx context.Context, key string, dst []byte) ([]byte, bool, error) {
	if o.own.appender != nil {
		extended, ok, err := o.own.appender.GetAppend(ctx, key, dst)
		if !IsUnsupported(err) {
			return extended, ok, err
		}
	}
	value, ok, err := o.Backend.Get(ctx, key)
	if !ok || err != nil {
		return dst, false, err
	}
	return append(dst, value...), true, nil
}

// GetManyWithTTL returns one value per key, nil for a miss, and the remaining TTLs.
func (o *Operations) GetManyWithTTL(ctx context.Context, keys []string) ([][]byte, []time.Duration, error) {
	if o.own.manyLives != nil {
		values, ttls, err := o.own.manyLives.GetManyWithTTL(ctx, keys)
		if !IsUnsupported(err) {
			return values, ttls, err
		}
	}
	values, ttls := make([][]byte, len(keys)), make([]time.Duration, len(keys))
	errs := EachKey(ctx, len(keys), func(i int) error {
		value, ttl, ok, err := o.GetWithTTL(ctx, keys[i])
		if ok && err == nil {
			values[i], ttls[i] = notNil(value), ttl
		}
		return err
	})
	return values, ttls, BatchOf(keys, errs)
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

// KeepDecoded offers a decoded value to a backend that keeps such values.
func (o *Operations) KeepDecoded(key string, data []byte, value any) {
	if o.own.decoded != nil {
		o.own.decoded.KeepDecoded(key, data, value)
	}
}

// CopiesValues reports whether the backend shares no memory with its callers.
func (o *Operations) CopiesValues() bool {
	return o.own.copier != nil && o.own.copier.CopiesValues()
}

// Place returns the server that stores key, "" if the backend has one place for all.
func (o *Operations) Place(key string) string {
	if o.own.placer == nil {
		return ""
	}
	return o.own.placer.Place(key)
}

// OnEvent passes report to the backend, if it has events.
func (o *Operations) OnEvent(report func(op string, err error)) {
	if o.own.events != nil {
		o.own.events.OnEvent(report)
	}
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
	_ DecodedKeeper = (*Operations)(nil)
	_ Leaser        = (*Operations)(nil)
	_ ValueLeaser   = (*Operations)(nil)
	_ Swapper       = (*Operations)(nil)
	_ ValueSwapper  = (*Operations)(nil)
	_ Namer         = (*Operations)(nil)

	_ Appender       = (*Operations)(nil)
	_ LifeGetter     = (*Operations)(nil)
	_ ManyLifeGetter = (*Operations)(nil)
	_ Watcher        = (*Operations)(nil)
	_ PartialWatcher = (*Operations)(nil)
	_ Stater         = (*Operations)(nil)
	_ Scanner        = (*Operations)(nil)
	_ Placer         = (*Operations)(nil)
	_ EventSource    = (*Operations)(nil)
)
