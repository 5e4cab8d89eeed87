package gcs

import (
	"context"
	"strconv"
	"time"

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
	ctx, cancel := b.bounded(ctx)
	defer cancel()
	done, err := b.takeTurn(ctx, key)
	if err != nil {
		return 0, remote.Outcome(ctx, err, false)
	}
	defer done()
	_, err = o.replace(ctx, func(text []byte, e entry) (c content, store bool, err error) {
		sum, c.expires = delta, expires
		if e.isLive() {
			c.expires = e.expires
			sum, err = driver.AddInteger(text, delta)
		}
		c.value = strconv.AppendInt(nil, sum, 10)
		return c, true, err
	})
	if err != nil {
		return 0, err
	}
	return sum, nil
}

// takeTurn waits until no other caller of Inc works on key: a race between callers of
// one Backend would only cost requests. done ends the turn.
func (b *Backend) takeTurn(ctx context.Context, key string) (done func(), err error) {
	turn := make(chan struct{})
	for {
		other, taken := b.counting.LoadOrStore(key, turn)
		if !taken {
			return func() {
				b.counting.Delete(key)
				close(turn)
			}, nil
		}
		select {
		case <-other.(chan struct{}):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
