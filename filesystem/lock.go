package filesystem

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// withLock runs op while this goroutine has the lock of the slice.
func (b *Backend) withLock(ctx context.Context, s *slice, op func() error) error {
	if err := b.lock(ctx, s); err != nil {
		return err
	}
	defer b.unlock(s)
	return op()
}

// lock excludes all other writers of the slice, in this process and in all
// others. It is held while a file gets or loses its name, not while its bytes
// are written: one lock for all keys of the slice then costs no more than the lock on
// the directory that the kernel takes anyway. The wait ends with ctx, with Close and
// after [Options.LockTimeout].
func (b *Backend) lock(ctx context.Context, s *slice) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.writer <- struct{}{}:
		if locked, err := b.tryLock(s); locked || err != nil {
			return err
		}
		<-s.writer
	default:
	}
	return b.waitForLock(ctx, s)
}

// tryLock takes the lock unless another process has it. If it fails, s.writer is
// free again. The caller has put an element into s.writer.
func (b *Backend) tryLock(s *slice) (bool, error) {
	locked, err := s.tryLock()
	if err == nil {
		return locked, nil
	}
	<-s.writer
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.ENOLCK) {
		err = fmt.Errorf("the file system has no locks (flock): use a directory of another one: %w", err)
	}
	return false, err
}

// waitForLock polls the lock of the processes, because a blocking flock cannot be
// cancelled. One limit holds for the whole wait: that of many callers behind a
// program which keeps the lock is not longer than that of one.
func (b *Backend) waitForLock(ctx context.Context, s *slice) error {
	const shortest, longest = 20 * time.Microsecond, time.Millisecond
	timeout := time.NewTimer(b.options.LockTimeout)
	defer timeout.Stop()
	writer := s.writer // nil once this goroutine has put its element into it
	var retry <-chan time.Time
	for pause := shortest; ; pause = min(2*pause, longest) {
		var err error
		select {
		case writer <- struct{}{}:
			writer = nil
		case <-retry:
		case <-ctx.Done():
			err = ctx.Err()
		case <-b.closing:
			err = driver.ErrClosed
		case <-timeout.C:
			err = fmt.Errorf("%w: timed out after %v waiting for the lock of %s, which another program holds", driver.ErrUnavailable, b.options.LockTimeout, s.path)
		}
		if err != nil {
			if writer == nil {
				<-s.writer
			}
			return err
		}
		if locked, err := b.tryLock(s); locked || err != nil {
			return err
		}
		retry = time.After(pause)
	}
}

func (b *Backend) unlock(s *slice) {
	b.writeCount(s)
	s.dir.unlock()
	<-s.writer
}
