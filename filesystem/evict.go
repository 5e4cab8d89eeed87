package filesystem

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"
)

// census is what this process knows of the size of the directory. No file keeps
// it: such files drift, and a crash makes them lie.
type census struct {
	entries int
	unseen  int       // stored by us since we last looked
	next    time.Time // when to look again at the latest
}

// sweepEvery is how often, at most, a directory with room to spare is swept.
const sweepEvery = 10 * time.Minute

// begin takes the census of a directory that has just been opened. The random
// start lets processes that end after a few writes take turns in sweeping.
func (b *Backend) begin(d *dir, now time.Time) error {
	_, err := b.list(d, now)
	b.unseen = rand.IntN(b.stride())
	b.next = now.Add(sweepEvery)
	return err
}

// stride is how many entries are stored between two looks at the directory, and
// removed at once when it is full: an eighth makes the cost of each Set constant.
func (b *Backend) stride() int {
	if b.options.Threshold == NoLimit {
		return max(1000, b.entries)
	}
	return max(1, b.options.Threshold/8)
}

// makeRoom prepares the directory for a write that adds so many entries, 0 or 1.
// The caller holds the lock: nothing is evicted that somebody has just rewritten,
// nor, as it has no name yet, the entry that is being written.
func (b *Backend) makeRoom(ctx context.Context, d *dir, now time.Time, adds int) error {
	if err := b.lookAround(ctx, d, now, adds); err != nil {
		return err
	}
	b.entries += adds
	b.unseen += adds
	return nil
}

func (b *Backend) lookAround(ctx context.Context, d *dir, now time.Time, adds int) error {
	limited := b.options.Threshold != NoLimit
	due := now.After(b.next)
	full := limited && b.entries+adds > b.options.Threshold
	if !due && !full && b.unseen < b.stride() {
		return nil
	}
	names, err := b.list(d, now)
	if err != nil {
		return err
	}
	if limited && !due && b.entries+adds <= b.options.Threshold {
		return nil
	}
	return b.evict(ctx, d, now, names, adds)
}

// list returns the names of the entries, and removes what crashes left.
func (b *Backend) list(d *dir, now time.Time) ([]string, error) {
	names, err := d.names()
	if err != nil {
		return nil, err
	}
	entries := names[:0]
	for _, name := range names {
		if isEntry(name) {
			entries = append(entries, name)
		} else if begun, ok := tempTime(name); ok && now.Sub(begun) > orphanAge {
			d.remove(name)
		}
	}
	b.entries, b.unseen = len(entries), 0
	return entries, nil
}

// evict removes the entries that have expired and, where that does not make room,
// a stride of those that will expire soonest.
func (b *Backend) evict(ctx context.Context, d *dir, now time.Time, names []string, adds int) error {
	type survivor struct {
		name  string
		mtime time.Time
	}
	start := time.Now()
	survivors := make([]survivor, 0, len(names))
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		mtime, err := d.mtime(name)
		if err != nil {
			continue // gone, or no file of ours
		}
		if mtime.Before(now) && d.remove(name) == nil {
			continue
		}
		survivors = append(survivors, survivor{name, mtime})
	}
	b.entries = len(survivors)
	b.next = now.Add(max(sweepEvery, 100*time.Since(start)))
	if b.options.Threshold == NoLimit || len(survivors)+adds <= b.options.Threshold {
		return nil
	}
	slices.SortFunc(survivors, func(x, y survivor) int { return x.mtime.Compare(y.mtime) })
	for _, s := range survivors[:len(survivors)-(b.options.Threshold-b.stride())] {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := ignoreAbsence(d.remove(s.name)); err != nil {
			return err
		}
		b.entries--
	}
	return nil
}
