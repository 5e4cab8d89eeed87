package gcs

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"

	"cloud.google.com/go/storage"
	cache "github.com/cachebackends/cachebackends/core"
)

// Inc reads the object and replaces it on the condition that it is still the same,
// as often as others are faster. The expiry of a counter stays as it is.
func (b *Backend) Inc(ctx context.Context, key string, delta int64, ttl time.Duration) (int64, error) {
	begun := endOf(ttl)
	o, err := b.object(key)
	if err != nil {
		return 0, err
	}
	ctx, cancel := b.bounded(ctx)
	defer cancel()
	for pause := firstPause / 8; ; pause = min(2*pause, longestPause) {
		sum, stored, err := b.tryInc(ctx, o, delta, begun)
		switch {
		case err != nil:
			return 0, err
		case stored:
			return sum, nil
		case !wait(ctx, pause):
			return 0, fmt.Errorf("%w: others change the counter all the time", cache.ErrUnavailable)
		}
	}
}

// tryInc reports whether it was fast enough. Callers of the same Backend take turns.
func (b *Backend) tryInc(ctx context.Context, o *storage.ObjectHandle, delta, begun int64) (sum int64, stored bool, err error) {
	done, err := b.counting.turn(ctx, o.ObjectName())
	if err != nil {
		return 0, false, failure(err, false)
	}
	defer done()
	text, e, there, err := b.read(ctx, o)
	if err != nil {
		return 0, false, err
	}
	condition, expires, sum := storage.Conditions{DoesNotExist: true}, begun, delta
	if there {
		condition = storage.Conditions{GenerationMatch: e.generation}
	}
	if there && !e.isExpired() {
		expires = e.expires
		if sum, err = add(text, delta); err != nil {
			return 0, false, err
		}
	}
	stored, err = b.putIf(ctx, o, condition, strconv.AppendInt(nil, sum, 10), expires)
	return sum, stored, err
}

// add returns the number that is written in text, plus delta.
func add(text []byte, delta int64) (int64, error) {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return 0, cache.ErrNotInteger
	}
	if delta > 0 && n > math.MaxInt64-delta || delta < 0 && n < math.MinInt64-delta {
		return 0, fmt.Errorf("%w: the sum is beyond it", cache.ErrNotInteger)
	}
	return n + delta, nil
}

// turns are those of callers who would only be in each other's way.
type turns struct {
	mu    sync.Mutex
	taken map[string]chan struct{} // closed at the end of the turn
}

// turn waits for its own and returns what ends it.
func (t *turns) turn(ctx context.Context, name string) (done func(), err error) {
	for {
		t.mu.Lock()
		other := t.taken[name]
		if other == nil {
			break // with the lock
		}
		t.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	defer t.mu.Unlock()
	mine := make(chan struct{})
	t.taken[name] = mine
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.taken, name)
		close(mine)
	}, nil
}
