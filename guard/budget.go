package guard

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// limited is the context of one call with its budget.
type limited struct {
	context.Context // with the budget
	caller          context.Context
	stop            context.CancelFunc

	budget  time.Duration // not positive: none
	applied bool          // the budget ends before the caller's deadline
	given   time.Duration // time until the caller's deadline, if there is one
}

// limit returns ctx with the budget. It uses ctx itself if the caller's deadline is
// not later.
func (b *Backend) limit(ctx context.Context, budget time.Duration) limited {
	l := limited{Context: ctx, caller: ctx, stop: func() {}, budget: budget}
	deadline, ok := ctx.Deadline()
	if ok {
		l.given = time.Until(deadline)
	}
	if l.applied = budget > 0 && (!ok || l.given > budget); l.applied {
		l.Context, l.stop = context.WithTimeout(ctx, budget)
	}
	return l
}

// explain replaces a timeout that the budget caused in err. The deadline of the caller
// has not passed, so the error must not match context.DeadlineExceeded.
func (l *limited) explain(err error) error {
	if err == nil || !l.applied || l.Err() == nil || l.caller.Err() != nil {
		return err
	}
	return eachFailure(err, func(err error) error {
		if !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		kind := driver.ErrUnavailable
		if errors.Is(err, driver.ErrUnknownOutcome) {
			kind = driver.ErrUnknownOutcome
		}
		return fmt.Errorf("%w: no reply within the budget of %v", kind, l.budget)
	})
}

// judge corrects the verdict of a call that ended with its caller: a call that was
// cancelled, or had little time, decides nothing. Without a budget nothing says how much
// time is little.
func (l *limited) judge(v verdict) verdict {
	ended := l.caller.Err()
	switch {
	case v != fault || ended == nil:
		return v
	case l.applied && l.Err() == context.DeadlineExceeded: // the call had all of its budget
		return fault
	case l.budget > 0 && ended == context.DeadlineExceeded && 2*l.given >= l.budget:
		return fault
	}
	return undecided
}

// eachFailure returns err with the error of each key, or err itself, replaced by
// change.
func eachFailure(err error, change func(error) error) error {
	batch, ok := driver.MergeBatch(err).(*driver.BatchError)
	if !ok {
		return change(err)
	}
	var changed driver.BatchError
	for _, f := range batch.Failed {
		changed.Fail(f.Key, change(f.Err))
	}
	return changed.ErrorOrNil()
}
