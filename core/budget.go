package cache

import (
	"context"
	"sync"
	"time"
)

// budget is a context that ends after half of the time until the deadline of its
// parent, so that a store that hangs leaves time for load. It starts a timer only if
// Done is called: a store in memory does not need one.
type budget struct {
	context.Context
	end time.Time

	mu     sync.Mutex
	timed  context.Context // nil until Done is called
	cancel context.CancelFunc
}

// halfOf returns ctx with half of its time, and a function that must be called when
// the context is no longer used. Without a deadline it returns ctx.
func halfOf(ctx context.Context) (context.Context, func()) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}
	}
	b := &budget{Context: ctx, end: halfway(deadline)}
	return b, b.stop
}

// halfway returns the time in the middle between now and deadline.
func halfway(deadline time.Time) time.Time { return deadline.Add(-time.Until(deadline) / 2) }

// Deadline returns the midpoint between the call of halfOf and the deadline of the
// parent.
func (b *budget) Deadline() (time.Time, bool) { return b.end, true }

// Done starts the timer.
func (b *budget) Done() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.timed == nil {
		b.timed, b.cancel = context.WithDeadline(b.Context, b.end)
	}
	return b.timed.Done()
}

// Err agrees with Done if Done has been called.
func (b *budget) Err() error {
	b.mu.Lock()
	timed := b.timed
	b.mu.Unlock()
	switch {
	case timed != nil:
		return timed.Err()
	case b.Context.Err() != nil:
		return b.Context.Err()
	case !time.Now().Before(b.end):
		return context.DeadlineExceeded
	}
	return nil
}

func (b *budget) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cancel != nil {
		b.cancel()
	}
}
