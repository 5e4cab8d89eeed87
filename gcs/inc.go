package gcs

import (
	"context"
	"strconv"
	"sync"
	"time"

	"cloud.google.com/go/storage"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
)

// Inc reads the object and replaces it on the condition that it is still the same,
// and starts again if it is not. The expiry of a counter stays as it is.
func (b *Backend) Inc(ctx context.Context, key string, delta int64, ttl time.Duration) (sum int64, err error) {
	expires := expiresAt(ttl)
	o, err := b.object(key)
	if err != nil {
		return 0, err
	}
	err = b.race(ctx, func(ctx context.Context) (stored bool, err error) {
		sum, stored, err = o.tryInc(ctx, delta, expires)
		return stored, err
	})
	if err != nil {
		return 0, err
	}
	return sum, nil
}

// tryInc reports whether no other writer was faster. Callers of the same Backend take
// turns: a race between them would cost requests and be decided by none.
func (o object) tryInc(ctx context.Context, delta, expires int64) (sum int64, stored bool, err error) {
	done, err := o.b.counting.turn(ctx, o.handle.ObjectName())
	if err != nil {
		return 0, false, remote.Outcome(ctx, err, false)
	}
	defer done()
	text, e, found, err := o.read(ctx)
	if err != nil {
		return 0, false, err
	}
	condition, sum := storage.Conditions{DoesNotExist: true}, delta
	if found {
		condition = storage.Conditions{GenerationMatch: e.generation}
	}
	if found && !e.isExpired() {
		expires = e.expires
		if sum, err = driver.AddInteger(text, delta); err != nil {
			return 0, false, err
		}
	}
	stored, err = o.putIf(ctx, condition, strconv.AppendInt(nil, sum, 10), expires)
	return sum, stored, err
}

// turns let one caller at a time work on a name.
type turns struct {
	mu    sync.Mutex
	taken map[string]chan struct{} // closed at the end of the turn
}

// turn waits until nobody else works on name, and returns what ends the turn.
func (t *turns) turn(ctx context.Context, name string) (done func(), err error) {
	for {
		t.mu.Lock()
		other := t.taken[name]
		if other == nil {
			break // with mu locked
		}
		t.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	defer t.mu.Unlock()
	ended := make(chan struct{})
	t.taken[name] = ended
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.taken, name)
		close(ended)
	}, nil
}
