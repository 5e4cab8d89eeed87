package filesystem

import (
	"context"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// lock excludes all other writers of the directory, in this process and in all
// others. It is held while a file gets or loses its name, not while its bytes
// are written: one lock for all keys then costs no more than the lock on the
// directory that the kernel takes anyway. The wait ends with ctx and with Close.
func (b *Backend) lock(ctx context.Context, d *dir) error {
	select {
	case b.writer <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-b.closing:
		return driver.ErrClosed
	}
	err := b.lockProcesses(ctx, d)
	if err != nil {
		<-b.writer
	}
	return err
}

// lockProcesses excludes other processes. It polls, because a blocking flock
// cannot be cancelled.
func (b *Backend) lockProcesses(ctx context.Context, d *dir) error {
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
			return driver.ErrClosed
		}
	}
}

func (b *Backend) unlock(d *dir) {
	d.unlock()
	<-b.writer
}
