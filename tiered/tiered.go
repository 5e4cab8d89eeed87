package tiered

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Backend is a [driver.Backend] that keeps entries of the store far in the store near.
// It is safe for concurrent use. What far does not support returns an error wrapping
// errors.ErrUnsupported.
type Backend struct {
	near    *nearStore
	far     *driver.Operations
	options Options

	lives     bool // far returns values with their remaining TTL
	manyLives bool // and batches of them in no more round trips than without TTL

	watching atomic.Bool
	stop     context.CancelFunc // of the goroutine that watches; nil without one
	stopped  chan struct{}
	close    func() error
}

// New returns a Backend that reads from near what it has kept there, and everything
// else from far. It owns both from now on: Close closes them. It empties near, which
// must be in the memory of the process and used by nobody else. It does not connect to
// far.
//
// The error wraps [driver.ErrInvalidSettings] if NearTTL is 0 although far reports no
// changes: see [Options.NearTTL]. After an error near and far are still the caller's.
func New(near, far driver.Backend, o Options) (*Backend, error) {
	err := driver.Complete(&o)
	if err == nil {
		if why := o.needsNearTTL(far); why != nil {
			err = fmt.Errorf("%w: %s (Options.NearTTL): %w", driver.ErrInvalidSettings, nearTTL, why)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("tiered: %w", err)
	}
	if err := near.Clear(context.Background()); err != nil {
		return nil, fmt.Errorf("tiered: emptying near: %w", err)
	}
	b := &Backend{far: driver.Resolve(far), options: o}
	_, b.lives = far.(driver.LifeGetter)
	_, b.manyLives = far.(driver.ManyLifeGetter)
	if _, batches := far.(driver.ManyGetter); !batches {
		b.manyLives = b.lives // one call for each key in any case
	}
	b.close = sync.OnceValue(b.closeBoth)
	watcher := o.watcher(far)
	if watcher == nil {
		b.near = newNearStore(near, "", true)
		return b, nil
	}
	b.near = newNearStore(near, strings.Clone(o.Prefix), o.NearTTL > 0)
	ctx, stop := context.WithCancel(context.Background())
	b.stop, b.stopped = stop, make(chan struct{})
	go b.watch(ctx, watcher)
	return b, nil
}

// Close stops watching and closes near and far.
func (b *Backend) Close() error { return b.close() }

func (b *Backend) closeBoth() error {
	if b.stop != nil {
		b.stop()
		<-b.stopped
	}
	return errors.Join(b.near.store.Close(), b.far.Close())
}

// Name returns the name of far in parentheses, such as "tiered(redis)".
func (b *Backend) Name() string { return "tiered(" + b.far.Name() + ")" }

// Watching reports whether notices of changes in far are arriving.
func (b *Backend) Watching() bool { return b.watching.Load() }

// Has reports whether key is present near or in far.
func (b *Backend) Has(ctx context.Context, key string) (bool, error) {
	if b.near.has(ctx, key) {
		return true, nil
	}
	return b.far.Has(ctx, key)
}

// TTL returns the remaining TTL of key in far.
func (b *Backend) TTL(ctx context.Context, key string) (time.Duration, bool, error) {
	return b.far.TTL(ctx, key)
}

// Ping reports whether far can be used.
func (b *Backend) Ping(ctx context.Context) error { return b.far.Ping(ctx) }

// Stats returns the statistics of far.
func (b *Backend) Stats(ctx context.Context) (driver.Stats, error) { return b.far.Stats(ctx) }

// OnEvent receives the events of near and far, such as those of a circuit breaker.
func (b *Backend) OnEvent(report func(op string, err error)) {
	b.near.ops.OnEvent(report)
	b.far.OnEvent(report)
}

// Scan lists the entries of far. It does not keep them near.
func (b *Backend) Scan(ctx context.Context, prefix string) iter.Seq2[driver.Entry, error] {
	return b.far.Scan(ctx, prefix)
}

// NearStats returns the statistics of near.
func (b *Backend) NearStats(ctx context.Context) (driver.Stats, error) { return b.near.ops.Stats(ctx) }

// CopiesValues reports whether both near and far copy values.
func (b *Backend) CopiesValues() bool { return b.near.ops.CopiesValues() && b.far.CopiesValues() }

var (
	_ driver.Backend        = (*Backend)(nil)
	_ driver.Haser          = (*Backend)(nil)
	_ driver.ManyGetter     = (*Backend)(nil)
	_ driver.ManySetter     = (*Backend)(nil)
	_ driver.ManyDeleter    = (*Backend)(nil)
	_ driver.Counter        = (*Backend)(nil)
	_ driver.PrefixClearer  = (*Backend)(nil)
	_ driver.TTLer          = (*Backend)(nil)
	_ driver.Pinger         = (*Backend)(nil)
	_ driver.Copier         = (*Backend)(nil)
	_ driver.Leaser         = (*Backend)(nil)
	_ driver.Swapper        = (*Backend)(nil)
	_ driver.Namer          = (*Backend)(nil)
	_ driver.Appender       = (*Backend)(nil)
	_ driver.LifeGetter     = (*Backend)(nil)
	_ driver.ManyLifeGetter = (*Backend)(nil)
	_ driver.Stater         = (*Backend)(nil)
	_ driver.Scanner        = (*Backend)(nil)
	_ driver.EventSource    = (*Backend)(nil)
)
