package loader

import (
	"context"
	"slices"
	"time"
)

// limits are the deadlines of the callers that wait for a batch, which may join it at any
// time. Before load is called, each grants the store half of the time that it has left.
// They are guarded by flights.mu.
type limits struct {
	deadlines []time.Time
	hurry     func(end time.Time) // ends the claims that are under way; nil if there are none
	ended     bool                // load has begun for the last keys
}

// add adds the deadline of ctx, if it has one.
func (l *limits) add(ctx context.Context) {
	deadline, ok := ctx.Deadline()
	if l.ended || !ok {
		return
	}
	l.deadlines = append(l.deadlines, deadline)
	if l.hurry != nil {
		l.hurry(halfway(deadline))
	}
}

// endLimits ends the limits of b when load begins for the last of its keys. Those of callers
// that join later would only take memory.
func (fs *flights[T]) endLimits(b *batch[T]) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	b.limits = limits{ended: true}
}

// halfway returns the time in the middle between now and deadline.
func halfway(deadline time.Time) time.Time { return deadline.Add(-time.Until(deadline) / 2) }

// claimContext returns the context for the claims of b. It ends at the first limit of the
// callers of b, also of those that join meanwhile. A caller whose deadline has passed has no
// limit: others are waiting. If b is cancelled, the context outlives it by releaseTimeout:
// a call that is cut off may have got a lease without learning its token, and other
// processes would wait until it expires.
func (fs *flights[T]) claimContext(b *batch[T]) (context.Context, context.CancelFunc) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	ctx, stop := context.WithoutCancel(b.ctx), func() {}
	l := &b.limits
	l.deadlines = slices.DeleteFunc(l.deadlines, func(deadline time.Time) bool { return time.Until(deadline) <= 0 })
	if len(l.deadlines) > 0 {
		ctx, stop = context.WithDeadline(ctx, halfway(slices.MinFunc(l.deadlines, time.Time.Compare)))
	}
	ctx, cancel := context.WithCancelCause(ctx)
	follows := context.AfterFunc(b.ctx, func() {
		time.AfterFunc(releaseTimeout, func() { cancel(context.Cause(b.ctx)) })
	})
	var timers []*time.Timer
	l.hurry = func(end time.Time) {
		timers = append(timers, time.AfterFunc(time.Until(end), func() { cancel(context.DeadlineExceeded) }))
	}
	return hurried{ctx}, func() {
		fs.mu.Lock()
		defer fs.mu.Unlock()
		l.hurry = nil
		for _, timer := range timers {
			timer.Stop()
		}
		follows()
		cancel(context.Canceled)
		stop()
	}
}

// hurried is a context whose error is its cause: one that ends at a limit has exceeded a
// deadline.
type hurried struct{ context.Context }

func (h hurried) Err() error { return context.Cause(h.Context) }
