package guard

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Backend guards another backend. It is safe for concurrent use.
type Backend struct {
	*driver.Operations // of the guarded backend

	options Options
	placed  bool     // the guarded backend is a driver.Placer
	whole   *breaker // of a backend with one place, and of calls without a key
	places  sync.Map // from place to *breaker
	report  atomic.Pointer[func(op string, err error)]
	closed  atomic.Bool
}

// New returns a Backend that guards inner, which it owns from now on: Close closes it.
// It does not use the network.
func New(inner driver.Backend, options Options) (*Backend, error) {
	if inner == nil {
		return nil, fmt.Errorf("%w: the guarded backend is nil", driver.ErrInvalidSettings)
	}
	if err := driver.Complete(&options); err != nil {
		return nil, err
	}
	b := &Backend{Operations: driver.Resolve(inner), options: options}
	_, b.placed = inner.(driver.Placer)
	b.whole = b.newBreaker("")
	return b, nil
}

func (b *Backend) newBreaker(place string) *breaker {
	return &breaker{options: b.options, place: place, report: b.changed}
}

// Close closes the guarded backend.
func (b *Backend) Close() error {
	b.closed.Store(true)
	return b.Operations.Close()
}

// Name returns "guard(redis)" over redis.
func (b *Backend) Name() string { return "guard(" + b.Operations.Name() + ")" }

// OnEvent receives the changes of the breakers, and the events of the guarded backend.
func (b *Backend) OnEvent(report func(op string, err error)) {
	b.report.Store(&report)
	b.Operations.OnEvent(report)
}

func (b *Backend) changed(op string, err error) {
	if report := b.report.Load(); report != nil {
		(*report)(op, err)
	}
}

// Stats returns the statistics of the guarded backend, unknown numbers if it has none,
// and the state of the breaker. With several, "open" and "half-open" take precedence
// over "closed".
func (b *Backend) Stats(ctx context.Context) (driver.Stats, error) {
	stats, err := b.Operations.Stats(ctx)
	if b.closed.Load() {
		return driver.UnknownStats, driver.ErrClosed
	}
	if err != nil {
		stats = driver.UnknownStats
		if !driver.IsUnsupported(err) && !errors.Is(err, driver.ErrUnavailable) {
			return stats, err
		}
	}
	stats.State = b.whole.state()
	b.places.Range(func(_, of any) bool {
		if state := of.(*breaker).state(); stats.State == stateClosed {
			stats.State = state
		}
		return true
	})
	return stats, nil
}

// breakerOf returns the breaker of the place where key is stored.
func (b *Backend) breakerOf(key string) *breaker {
	if !b.placed {
		return b.whole
	}
	return b.breakerAt(b.Place(key))
}

func (b *Backend) breakerAt(place string) *breaker {
	if place == "" {
		return b.whole
	}
	found, ok := b.places.Load(place)
	if !ok {
		found, _ = b.places.LoadOrStore(place, b.newBreaker(place))
	}
	return found.(*breaker)
}

// enter returns a pass of br. After Close, a call that br refuses fails as every other.
func (b *Backend) enter(br *breaker) (pass, error) {
	p, err := br.enter()
	if err != nil && b.closed.Load() {
		err = driver.ErrClosed
	}
	return p, err
}

// call calls do under the breaker of key and within the budget.
func (b *Backend) call(ctx context.Context, key string, do func(ctx context.Context) error) error {
	return b.callWithin(ctx, b.breakerOf(key), b.options.Budget, do)
}

func (b *Backend) callWithin(ctx context.Context, br *breaker, budget time.Duration, do func(ctx context.Context) error) (err error) {
	p, err := b.enter(br)
	if err != nil {
		return err
	}
	v := undecided // also if do panics
	defer func() { br.leave(p, v, err) }()
	limited := b.limit(ctx, budget)
	defer limited.stop()
	err = limited.explain(do(limited.Context))
	v = limited.judge(verdictOf(err))
	return err
}

// one, two and three are call for a function with so many results beside its error.

func one[A any](ctx context.Context, b *Backend, key string, do func(ctx context.Context) (A, error)) (a A, err error) {
	err = b.call(ctx, key, func(ctx context.Context) (err error) {
		a, err = do(ctx)
		return err
	})
	return a, err
}

func two[A, B any](ctx context.Context, b *Backend, key string, do func(ctx context.Context) (A, B, error)) (first A, second B, err error) {
	err = b.call(ctx, key, func(ctx context.Context) (err error) {
		first, second, err = do(ctx)
		return err
	})
	return first, second, err
}

func three[A, B, C any](ctx context.Context, b *Backend, key string, do func(ctx context.Context) (A, B, C, error)) (first A, second B, third C, err error) {
	err = b.call(ctx, key, func(ctx context.Context) (err error) {
		first, second, third, err = do(ctx)
		return err
	})
	return first, second, third, err
}
