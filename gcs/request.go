package gcs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"time"

	"cloud.google.com/go/storage"
	cache "github.com/cachebackends/cachebackends/core"
)

// kind is what a request does to the store.
type kind int

const (
	read  kind = iota
	write      // may be repeated when its answer is lost
	once       // may not
)

// Pauses between tries double, up to the longest.
const (
	firstPause   = 50 * time.Millisecond
	longestPause = 4 * time.Second
)

// do makes a request until it succeeds, fails for good, or the time of ctx is up.
// Its errors are those of failure.
func (b *Backend) do(ctx context.Context, k kind, request func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return failure(err, false)
	}
	ctx, cancel := b.bounded(ctx)
	defer cancel()
	lost := false  // a try may have been executed, and we do not know
	var said error // by the service, and not that the time is up
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := request(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			said = brief(err)
		}
		fault := faultOf(err)
		lost = lost || fault == unanswered && k != read
		again := fault == refused || fault == unanswered && k != once
		if again && wait(ctx, pause) {
			continue
		}
		if ctx.Err() != nil && said != nil {
			err = fmt.Errorf("%w, after %w", ctx.Err(), said)
		}
		return failure(err, lost)
	}
}

// bounded gives a context without a deadline one.
func (b *Backend) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, b.timeout)
}

// wait pauses, by chance only half as long, and reports whether there is time for
// another try: as much as was waited, for one that is cut off may leave a write in
// doubt.
func wait(ctx context.Context, pause time.Duration) bool {
	pause -= mathrand.N(pause/2 + 1)
	deadline, _ := ctx.Deadline()
	if ctx.Err() != nil || time.Until(deadline) < 2*pause {
		return false
	}
	select {
	case <-time.After(pause):
		return true
	case <-ctx.Done():
		return false
	}
}

// putIf stores value if the condition holds, and reports whether it did. After a
// lost answer the condition may have been broken by ourselves: then the object
// carries our token.
func (b *Backend) putIf(ctx context.Context, o *storage.ObjectHandle, condition storage.Conditions, value []byte, expires int64) (bool, error) {
	token := rand.Text()
	tried := false
	err := b.do(ctx, write, func(ctx context.Context) error {
		err := b.put(ctx, o, condition, value, expires, token)
		if status(err) == http.StatusPreconditionFailed && tried {
			attrs, errAttrs := o.Attrs(ctx)
			if errAttrs == nil && entryOf(attrs.Generation, attrs.Metadata).token == token {
				return nil
			}
		}
		tried = true
		return err
	})
	if errors.Is(err, errCondition) && !errors.Is(err, cache.ErrUnknownOutcome) {
		return false, nil
	}
	return err == nil, err
}
