package gcs

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
)

// Pauses between attempts double, up to the longest.
const (
	firstPause   = 50 * time.Millisecond
	longestPause = 4 * time.Second
)

// read calls request, which changes nothing, until it succeeds or [retry] gives up.
func (b *Backend) read(ctx context.Context, request func(context.Context) error) error {
	_, err := b.retry(ctx, false, request)
	return failure(ctx, err)
}

// write does the same with a request that may be executed twice without harm, because it
// has a condition. The error is [driver.ErrUnknownOutcome] if a failed attempt may have been
// executed.
func (b *Backend) write(ctx context.Context, request func(context.Context) error) error {
	executed, err := b.retry(ctx, false, request)
	return writeFailure(ctx, executed, err)
}

// writeOnce is write without a condition. It repeats a request only if the service refused
// it. Otherwise the service could execute the first request after the second one and after a
// later Delete, and the old value would come back.
func (b *Backend) writeOnce(ctx context.Context, request func(context.Context) error) error {
	executed, err := b.retry(ctx, true, request)
	return writeFailure(ctx, executed, err)
}

func writeFailure(ctx context.Context, executed bool, err error) error {
	if executed {
		return fmt.Errorf("%w: %w", driver.ErrUnknownOutcome, brief(err))
	}
	return failure(ctx, err)
}

// retry calls request until it succeeds, fails for good, or ctx leaves no time for
// another attempt. If once, a request that may have been executed is not repeated.
// executed reports whether a failed attempt may have been executed.
func (b *Backend) retry(ctx context.Context, once bool, request func(context.Context) error) (executed bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	ctx, cancel := b.bounded(ctx)
	defer cancel()
	var reply error // the last failure that is not the end of ctx
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		traced, sent := traceSent(ctx)
		err := request(traced)
		if err == nil {
			return false, nil
		}
		if ctx.Err() == nil {
			reply = brief(err)
		}
		if !sent.Load() {
			err = remote.Unsent{Err: err}
		}
		fault := faultOf(err)
		executed = executed || fault == unanswered || fault == foreign
		if !fault.isTemporary() || once && fault == unanswered {
			return executed, err
		}
		if !sleep(ctx, pause) {
			return executed, outOfTime(ctx, err, reply)
		}
	}
}

// traceSent reports whether a request has had a connection to be sent over. The error
// does not report: if ctx ends during the dial or the TLS handshake, it is that of ctx.
// Requests for tokens have another context and are not traced.
func traceSent(ctx context.Context) (context.Context, *atomic.Bool) {
	var sent atomic.Bool
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { sent.Store(false) },
		GotConn: func(httptrace.GotConnInfo) { sent.Store(true) },
	}), &sent
}

// outOfTime is the error of an attempt that ended with err and is not repeated.
func outOfTime(ctx context.Context, err, reply error) error {
	switch ended := ctx.Err(); {
	case reply == nil:
		return err
	case ended == nil:
		return fmt.Errorf("%w before another attempt, after %w", context.DeadlineExceeded, reply)
	default:
		return fmt.Errorf("%w, after %w", ended, reply)
	}
}

// race calls try until it is decided. Each call that is not has lost a race with
// another writer.
func (b *Backend) race(ctx context.Context, try func(context.Context) (decided bool, err error)) error {
	ctx, cancel := b.bounded(ctx)
	defer cancel()
	for pause := firstPause / 8; ; pause = min(2*pause, longestPause) {
		if decided, err := try(ctx); decided || err != nil {
			return err
		}
		if !sleep(ctx, pause) {
			err := fmt.Errorf("gave up after losing every race with concurrent writers: %w", cmp.Or(ctx.Err(), context.DeadlineExceeded))
			return remote.Outcome(ctx, err, false)
		}
	}
}

// bounded gives a context without a deadline one.
func (b *Backend) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, b.options.Timeout)
}

// sleep waits for pause, shortened at random by up to half, and reports whether ctx
// leaves time for another attempt. That is as much time as the pause: an attempt that
// is cut off may leave a write in doubt.
func sleep(ctx context.Context, pause time.Duration) bool {
	pause -= rand.N(pause/2 + 1)
	deadline, _ := ctx.Deadline()
	if ctx.Err() != nil || time.Until(deadline) < 2*pause {
		return false
	}
	return remote.Sleep(ctx, pause) == nil
}
