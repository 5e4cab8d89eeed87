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
	pause, logged := minPause, false
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
			logged = false
			if time.Since(ready) > maxPause { // else the connection may break again and again
				pause = minPause
			}
		}
		if ctx.Err() != nil {
			return
		}
		switch {
		case b.options.OnLost != nil:
			b.options.OnLost(err)
		case ready.IsZero() && !logged:
			// Not if notices had arrived before: a Clear ends Watch too, and the next
			// one begins at once.
			slog.WarnContext(ctx, "cache: tiered: no notices of changes", "far", b.far.Name(), "err", err)
			logged = true
		}
		select {
		case <-time.After(pause/2 + rand.N(pause/2)): // many processes may have lost one server
		case <-ctx.Done():
			return
		}
		pause = min(2*pause, maxPause)
	}
}
