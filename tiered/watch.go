package tiered

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

const (
	// Pauses before Watch is called again after it has ended.
	minPause = 50 * time.Millisecond
	maxPause = 5 * time.Second
)

// watch calls Watch of the source of notices until ctx is done. While notices arrive,
// entries are kept near. At each beginning and end near is emptied: changes may have
// been missed.
func (b *Backend) watch(ctx context.Context, watcher driver.Watcher) {
	defer close(b.stopped)
	pause, failed := minPause, false
	for {
		var ready time.Time
		err := watcher.Watch(ctx, b.near.prefix, b.options.Grace, driver.Notices{
			Ready: func() {
				ready = time.Now()
				b.near.reset(true)
				b.watching.Store(true)
			},
			Changed: b.near.changed,
		})
		if !ready.IsZero() {
			b.watching.Store(false)
			b.near.reset(b.options.NearTTL > 0)
			failed = false
			if time.Since(ready) > maxPause { // else the connection may break again and again
				pause = minPause
			}
		}
		if ctx.Err() != nil {
			return
		}
		b.lost(ctx, err, failed)
		failed = true
		select {
		case <-time.After(pause/2 + rand.N(pause/2)): // many processes may have lost one server
		case <-ctx.Done():
			return
		}
		pause = min(2*pause, maxPause)
	}
}

// lost reports that Watch has ended. again is true if it had not begun to report
// changes since the last call.
func (b *Backend) lost(ctx context.Context, err error, again bool) {
	if b.options.OnLost != nil {
		b.options.OnLost(err)
		return
	}
	if !again {
		slog.WarnContext(ctx, "cache: tiered: notices of changes have stopped", "far", b.far.Name(), "err", err)
	}
}
