package filesystem

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"
)

// usage is the number of entries as far as this Backend knows. It is not stored
// on disk, where a crash would leave it wrong.
type usage struct {
	entries        int
	addedSinceScan int       // entries that this Backend added since its last scan
	nextScan       time.Time // the first write after this time scans the directory
}

// scanInterval is the shortest time between two scans of a directory which is
// below its threshold.
const scanInterval = 10 * time.Minute

// count scans a directory that has just been opened. The random start makes
// processes which end after a few writes share the scans among themselves.
func (b *Backend) count(d *dir, now time.Time) error {
	_, err := b.scan(d, now)
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

// makeRoom evicts what is necessary before a write that adds n entries, 0 or 1.
// The caller holds the lock: an entry that was rewritten meanwhile is not
// evicted, nor is the entry of the caller, which has no name yet.
func (b *Backend) makeRoom(ctx context.Context, d *dir, now time.Time, n int) error {
	if err := b.maybeEvict(ctx, d, now, n); err != nil {
		return err
	}
	b.usage.entries += n
	b.usage.addedSinceScan += n
	return nil
}

// maybeEvict scans the directory if it is full, or if the last scan is too old,
// and evicts if the scan confirms it.
func (b *Backend) maybeEvict(ctx context.Context, d *dir, now time.Time, n int) error {
	limited := b.options.Threshold != NoLimit
	due := now.After(b.usage.nextScan)
	full := limited && b.usage.entries+n > b.options.Threshold
	if !due && !full && b.usage.addedSinceScan < b.batchSize() {
		return nil
	}
	names, err := b.scan(d, now)
	if err != nil {
		return err
	}
	if limited && !due && b.usage.entries+n <= b.options.Threshold {
		return nil
	}
	return b.evict(ctx, d, now, names, n)
}

// scan counts the entries, returns the names of their files and removes the
// temporary files that crashes have left.
func (b *Backend) scan(d *dir, now time.Time) ([]string, error) {
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
	b.usage.entries, b.usage.addedSinceScan = len(entries), 0
	return entries, nil
}

// evict removes the expired entries. If that does not make room for n more, it
// removes a batch of those which expire soonest.
func (b *Backend) evict(ctx context.Context, d *dir, now time.Time, names []string, n int) error {
	type candidate struct {
		name  string
		mtime time.Time
	}
	start := time.Now()
	live := make([]candidate, 0, len(names))
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		mtime, err := d.mtime(name)
		if err != nil {
			continue // removed meanwhile, or not a regular file
		}
		if mtime.Before(now) && d.remove(name) == nil {
			continue
		}
		live = append(live, candidate{name, mtime})
	}
	b.usage.entries = len(live)
	// Scans of an enormous directory take at most a hundredth of the time.
	b.usage.nextScan = now.Add(max(scanInterval, 100*time.Since(start)))
	if b.options.Threshold == NoLimit || len(live)+n <= b.options.Threshold {
		return nil
	}
	slices.SortFunc(live, func(x, y candidate) int { return x.mtime.Compare(y.mtime) })
	for _, c := range live[:len(live)-(b.options.Threshold-b.batchSize())] {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := ignoreNotExist(d.remove(c.name)); err != nil {
			return err
		}
		b.usage.entries--
	}
	return nil
}
