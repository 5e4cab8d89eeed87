package filesystem

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// eviction is scans in progress, as many as writes need, in a goroutine of its own: it belongs to all writers,
// and goes on when the one that started it has run out of time. Otherwise callers with
// short deadlines would start it again and again, and none would finish it.
type eviction struct {
	done chan struct{}
	err  error       // set when done is closed
	slow atomic.Bool // a caller with a deadline has given up waiting: the others do not wait
}

// evictionEnds ends the eviction unless it can make room that is needed. If scans of the
// whole directory were in vain, it can do so only if writes wait, and others have used
// the room meanwhile that they had got, or are going to.
func (u *usage) evictionEnds(err error, inVain bool) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.giveRoom()
	switch {
	case err != nil:
	case u.needsRoom() && !inVain, len(u.waiting) > 0 && (u.promised > 0 || u.addedSinceScan > 0):
		return false
	}
	u.eviction.err = err
	close(u.eviction.done)
	u.eviction = nil
	return true
}

// errNoRoom means that the write has to wait, without the lock, for tx.turn or the end
// of tx.eviction.
var errNoRoom = errors.New("the directory is full")

// withRoom runs publish with the lock, again after the wait for room that publish needs.
// The entry of the caller has no name meanwhile: its own write does not evict it.
func (tx *writeTx) withRoom(ctx context.Context, publish func() error) error {
	defer func() {
		if tx.hasRoom {
			tx.hasRoom = false
			tx.slice.tree.usage.release()
		}
	}()
	for {
		err := tx.backend.withLock(ctx, tx.slice, publish)
		if err != errNoRoom {
			return err
		}
		if err := tx.awaitRoom(ctx); err != nil {
			return err
		}
	}
}

// awaitRoom waits for room, but not longer than half of the time that ctx has left: then
// the write goes on, and exceeds the threshold until the eviction has ended. If the
// eviction ends without room for the write, nothing could be removed: it goes on as
// well.
func (tx *writeTx) awaitRoom(ctx context.Context) (err error) {
	defer func() {
		tx.hasRoom = tx.slice.tree.usage.leave(tx.turn)
		if tx.hasRoom {
			err = nil
		}
	}()
	var half <-chan time.Time
	if deadline, ok := ctx.Deadline(); ok {
		if tx.eviction.slow.Load() {
			tx.anyway = true
			return nil
		}
		timer := time.NewTimer(time.Until(deadline) / 2)
		defer timer.Stop()
		half = timer.C
	}
	select {
	case <-tx.turn:
		return nil
	case <-tx.eviction.done:
		tx.anyway = true
		return tx.eviction.err
	case <-half:
		tx.eviction.slow.Store(true)
		tx.anyway = true
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-tx.backend.closing:
		return driver.ErrClosed
	}
}

// makeRoom counts n more entries, 0 or 1. If there is little room, or the last scan is
// too old, it starts an eviction. If a new entry has to wait for that, makeRoom returns
// errNoRoom. The caller holds the lock.
func (tx *writeTx) makeRoom(n int) error {
	u := &tx.slice.tree.usage
	u.mu.Lock()
	defer u.mu.Unlock()
	begin, wait := u.scanAfter()
	_, whole := u.scanned()
	due := tx.entry.written.After(u.nextScan)
	if due || u.nearlyFull(n) || n > 0 && u.addedSinceScan >= begin {
		tx.backend.startEviction(tx.slice.tree, due)
	}
	switch {
	case n == 0:
		return nil
	case tx.hasRoom: // it is counted already
		tx.hasRoom = false
		u.usePromise()
	case u.eviction != nil && !tx.anyway && (due && whole || !u.hasRoom() || u.addedSinceScan >= wait):
		tx.eviction, tx.turn = u.eviction, make(chan struct{})
		u.waiting = append(u.waiting, tx.turn)
		return errNoRoom
	}
	u.added(tx.slice.index)
	return nil
}
