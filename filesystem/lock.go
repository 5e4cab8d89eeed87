package filesystem

import (
	"context"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// lock makes its caller the only writer of the directory, in this process and in
// all others. It is held while an entry takes or loses its name, not while bytes
// are written, so that one lock for all keys costs no more than the kernel's own
// lock on the directory. Waiting ends with ctx and with Close.
func (b *Backend) lock(ctx context.Context, d *dir) error {
	select {
	case b.writer <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-b.closing:
		return cache.ErrClosed
	}
	err := b.lockOthers(ctx, d)
	if err != nil {
		<-b.writer
	}
	return err
}

// lockOthers polls: a call that sleeps in the kernel would hear of no context.
func (b *Backend) lockOthers(ctx context.Context, d *dir) error {
	const shortest, longest = 20 * time.Microsecond, time.Millisecond
	for pause := shortest; ; pause = min(2*pause, longest) {
		if err := ctx.Err(); err != nil {
			return err
		}
		locked, err := d.tryLock()
		if locked || err != nil {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		case <-b.closing:
			return cache.ErrClosed
		}
	}
}

func (b *Backend) unlock(d *dir) {
	d.unlock()
	<-b.writer
}
