package filesystem

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// usage is the number of entries as far as this Backend knows. It is not stored
// on disk, where a crash would leave it wrong.
type usage struct {
	entries        int
	held           int       // entries that eviction could not remove; the threshold excludes them
	addedSinceScan int       // entries that this Backend added since its last scan
	nextScan       time.Time // the first write after this time scans the directory
}

// evictions runs one eviction at a time, in a goroutine of its own: it belongs to all
// writers, and goes on when the one that started it has run out of time. Otherwise
// callers with short deadlines would start it again and again, and none would finish
// it.
type evictions struct {
	current atomic.Pointer[eviction] // set with the lock held
	running sync.WaitGroup
}

// eviction is an eviction in progress.
type eviction struct {
	done chan struct{}
	err  error       // set when done is closed
	slow atomic.Bool // a caller with a deadline has given up waiting: the others do not wait
}

// scanInterval is the shortest time between two scans of a directory which is
// below its threshold.
const scanInterval = 10 * time.Minute

// count lists a directory that has just been opened. The random start makes
// processes which end after a few writes share the scans among themselves.
func (b *Backend) count(d *dir, now time.Time) error {
	names, err := list(d, now)
	b.usage.entries = len(names)
	b.usage.addedSinceScan = rand.IntN(b.batchSize())
	b.usage.nextScan = now.Add(scanInterval)
	return err
}

// batchSize is the number of entries that are added between two scans, and the
// number that one eviction removes from a full directory. A constant part of
// the threshold makes the average cost of a Set constant.
func (b *Backend) batchSize() int {
	if b.options.Threshold == NoLimit {
		return max(1000, b.usage.entries)
	}
	return max(1, b.options.Threshold/8)
}

// full reports whether n more entries would exceed the threshold.
func (b *Backend) full(n int) bool {
	return b.options.Threshold != NoLimit && b.usage.entries-b.usage.held+n > b.options.Threshold
}

// errNoRoom means that the write has to wait for tx.eviction without the lock.
var errNoRoom = errors.New("the directory is full")

// withRoom runs publish with the lock, again after every eviction that publish
// needs. The entry of the caller has no name meanwhile: its own write does not evict
// it.
func (tx *writeTx) withRoom(ctx context.Context, publish func() error) error {
	const most = 4 // evictions of which others take the room
	for attempt := 1; ; attempt++ {
		tx.anyway = tx.anyway || attempt > most
		err := tx.backend.withLock(ctx, tx.dir, publish)
		if err != errNoRoom {
			return err
		}
		if err := tx.awaitEviction(ctx); err != nil {
			return err
		}
	}
}

// awaitEviction waits for tx.eviction, but not longer than half of the time that ctx
// has left: then the write goes on, and exceeds the threshold until the eviction has
// ended.
func (tx *writeTx) awaitEviction(ctx context.Context) error {
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
	case <-tx.eviction.done:
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

// makeRoom counts n more entries, 0 or 1. If the directory is full, or the last scan
// too old, it starts an eviction. A new entry waits for that, and for one in progress,
// whose count of the directory is then right: makeRoom returns errNoRoom. The caller
// holds the lock.
func (tx *writeTx) makeRoom(n int) error {
	b := tx.backend
	due := tx.entry.written.After(b.usage.nextScan)
	if due || b.full(n) || n > 0 && b.usage.addedSinceScan >= b.batchSize() {
		tx.eviction = b.startEviction(tx.dir, due, n)
	} else {
		tx.eviction = b.evictions.current.Load()
	}
	if n > 0 && tx.eviction != nil && !tx.anyway {
		return errNoRoom
	}
	b.usage.entries += n
	b.usage.addedSinceScan += n
	return nil
}

// startEviction returns the eviction in progress, or starts one. The caller holds the
// lock.
func (b *Backend) startEviction(d *dir, due bool, n int) *eviction {
	if e := b.evictions.current.Load(); e != nil {
		return e
	}
	e := &eviction{done: make(chan struct{})}
	b.evictions.current.Store(e)
	b.usage.addedSinceScan = 0
	b.evictions.running.Go(func() {
		e.err = b.evict(d, due, n)
		b.evictions.current.Store(nil)
		close(e.done)
	})
	return e
}

// list returns the names of the entries, and removes the temporary files that crashes
// have left.
func list(d *dir, now time.Time) ([]string, error) {
	names, err := d.names()
	if err != nil {
		return nil, err
	}
	entries := names[:0]
	for _, name := range names {
		if isEntry(name) {
			entries = append(entries, name)
		} else if created, ok := tempTime(name); ok && now.Sub(created) > staleAge {
			d.remove(name)
		}
	}
	return entries, nil
}

// evict counts the entries. If the directory is full, or a scan is due, it removes the
// expired ones, and if that does not make room for n more, a batch of those which
// expire soonest. It takes the lock only to remove files.
func (b *Backend) evict(d *dir, due bool, n int) error {
	now := time.Now()
	names, err := list(d, now)
	if err != nil {
		return err
	}
	enough := false
	err = b.withLock(context.Background(), d, func() error {
		// Only writers that could not wait have added entries; names may contain some.
		b.usage.entries = len(names) + b.usage.addedSinceScan
		enough = b.options.Threshold != NoLimit && !due && !b.full(n)
		return nil
	})
	if enough || err != nil {
		return err
	}
	live, passed, err := b.examine(d, names, now)
	if err != nil {
		return err
	}
	stillLive, held, err := b.removeExpired(d, passed, now)
	if err != nil {
		return err
	}
	live = append(live, stillLive...)
	slices.SortFunc(live, func(x, y candidate) int { return x.expires.Compare(y.expires) })
	return b.removeSoonest(d, live, held, now, n)
}

// candidate is an entry that may be evicted.
type candidate struct {
	name    string
	mtime   time.Time
	expires time.Time // orders the candidates
}

// examine divides the entries into those whose modification time is later than now,
// and the others.
func (b *Backend) examine(d *dir, names []string, now time.Time) (live, passed []candidate, err error) {
	live = make([]candidate, 0, len(names))
	for _, name := range names {
		select {
		case <-b.closing:
			return nil, nil, driver.ErrClosed
		default:
		}
		mtime, err := d.mtime(name)
		switch {
		case err != nil: // removed meanwhile, or not a regular file
		case mtime.After(now):
			live = append(live, candidate{name, mtime, mtime})
		default:
			passed = append(passed, candidate{name, mtime, mtime})
		}
	}
	return live, passed, nil
}

// removeExpired removes files whose modification time has passed, and returns those
// which have not expired: file systems cut times to seconds or to 32 bits, and backups
// change them. A file without a valid header counts as expired. held is the number of
// files that it could not remove.
func (b *Backend) removeExpired(d *dir, passed []candidate, now time.Time) (live []candidate, held int, err error) {
	err = eachLocked(context.Background(), b, d, passed, func(c candidate) error {
		h, _, err := readHead(d, c.name, 0)
		if h.expires.leased(now) {
			h.expires = 0 // a lease is evicted after all entries
		}
		if err == nil && !h.expires.expired(now) {
			c.expires = entry{expires: h.expires, written: now}.mtime()
			live = append(live, c)
		} else if !errors.Is(err, fs.ErrNotExist) && !b.tryRemove(d, c.name) {
			held++
		}
		return nil
	})
	return live, held, err
}

// removeSoonest removes the batch of the live entries that expires soonest, if there
// is no room for n more without.
func (b *Backend) removeSoonest(d *dir, live []candidate, held int, now time.Time, n int) error {
	excess := 0
	err := b.withLock(context.Background(), d, func() error {
		b.usage.held = held
		// Scans of an enormous directory take at most a hundredth of the time.
		b.usage.nextScan = now.Add(max(scanInterval, 100*time.Since(now)))
		if b.full(n) {
			excess = b.usage.entries - b.usage.held - (b.options.Threshold - b.batchSize())
		}
		return nil
	})
	if err != nil {
		return err
	}
	return eachLocked(context.Background(), b, d, live[:min(excess, len(live))], func(c candidate) error {
		mtime, err := d.mtime(c.name)
		rewritten := err == nil && !mtime.Equal(c.mtime)
		if err == nil && !rewritten && !b.tryRemove(d, c.name) {
			b.usage.held++
		}
		return nil
	})
}

// tryRemove removes the file of an entry, and reports whether it is absent now. The
// caller holds the lock.
func (b *Backend) tryRemove(d *dir, name string) bool {
	return ignoreNotExist(b.remove(d, name)) == nil
}
