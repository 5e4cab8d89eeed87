package cache

import (
	"context"
	"slices"
	"time"
)

// limit is what one caller of a load grants the store before load is called: half of the
// time until its deadline. It is zero without a deadline.
type limit struct{ deadline, half time.Time }

// limits are those of the callers of one load, which may join it at any time. They are
// guarded by flights.mu.
type limits struct {
	all   []limit
	hurry func(end time.Time) // ends the call of the store that is under way; nil if there is none
	ended bool                // load has begun
}

func (l *limits) add(by limit) {
	if l.ended || by.deadline.IsZero() {
		return
	}
	l.all = append(l.all, by)
	if l.hurry != nil {
		l.hurry(by.half)
	}
}

// endLimits ends the limits of f when load begins. Those of callers that join later would
// only take memory.
func (fs *flights) endLimits(f *flight) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f.limits = limits{ended: true}
}

// renewLimits grants the store half of the time that the callers have left now. A caller
// whose deadline has passed has no limit any more: others are waiting.
func (fs *flights) renewLimits(f *flight) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	now := time.Now()
	f.limits.all = slices.DeleteFunc(f.limits.all, func(l limit) bool { return !now.Before(l.deadline) })
	for i := range f.limits.all {
		f.limits.all[i].half = halfway(f.limits.all[i].deadline)
	}
}

// limited returns a context for one call of the store, which ends at the first limit of the
// callers of f, also of those that join meanwhile. If ctx is cancelled, because all have
// left, the returned one outlives it by releaseTimeout: a call that is cut off may have got a
// lease without learning its token, and other processes would wait until it expires.
func (fs *flights) limited(ctx context.Context, f *flight) (context.Context, context.CancelFunc) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	flight, ctx, stop := ctx, context.WithoutCancel(ctx), func() {}
	if l := &f.limits; len(l.all) > 0 {
		first := slices.MinFunc(l.all, func(a, b limit) int { return a.half.Compare(b.half) })
		ctx, stop = context.WithDeadline(ctx, first.half)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	follows := context.AfterFunc(flight, func() {
		time.AfterFunc(releaseTimeout, func() { cancel(context.Cause(flight)) })
	})
	var timers []*time.Timer
	f.limits.hurry = func(end time.Time) {
		timers = append(timers, time.AfterFunc(time.Until(end), func() { cancel(context.DeadlineExceeded) }))
	}
	return hurried{ctx}, func() {
		fs.mu.Lock()
		defer fs.mu.Unlock()
		f.limits.hurry = nil
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
