package filesystem

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// count counts the entries of a directory that has just been opened, as one scan does.
// Names are hashes: other slices have as many. The random start makes processes which end
// after a few writes share the scans among themselves.
func (b *Backend) count(t *tree, now time.Time) error {
	mostNames := 1 << 16 // of one slice
	if b.layout.fanOut == 1 {
		mostNames = 0
	}
	u := &t.usage
	fanOut := b.layout.fanOut
	u.cursor = rand.IntN(fanOut)
	first, sum, listed := u.cursor, 0, 0
	for ; listed < fanOut && sum < u.scanSize; listed++ {
		index := u.nextSlice()
		s, names, err := list(t, index, now, mostNames)
		if err != nil {
			return err
		}
		u.counted(index, len(names))
		sum += len(names)
		for _, name := range names[:min(1, len(names))] {
			if info, err := s.stat(name); err == nil {
				u.sized(1, info.bytes)
			}
		}
	}
	for i := listed; i < fanOut; i++ {
		u.estimate((first+i)%fanOut, sum/listed)
	}
	u.addedSinceScan = rand.IntN(u.batchSize())
	u.nextScan = now.Add(scanInterval * time.Duration(listed) / time.Duration(fanOut))
	return b.correctCount(context.Background(), t)
}

// list returns the names of the entries in a slice, and removes the temporary files that
// crashes have left. A fan-out directory that is absent is empty.
func list(t *tree, index int, now time.Time, most int) (*slice, []string, error) {
	s, err := t.slice(index, false)
	var names []string
	if err == nil {
		names, err = s.names(most)
	}
	if err != nil {
		return nil, nil, ignoreNotExist(ignoreCorrupt(err))
	}
	entries := names[:0]
	for _, name := range names {
		if t.layout.isEntry(name) {
			entries = append(entries, name)
		} else if created, ok := t.layout.tempTime(name); ok && now.Sub(created) > staleAge {
			s.remove(name)
		}
	}
	return s, entries, nil
}

// startEviction starts an eviction unless there is one in progress. The caller has
// locked t.usage.
func (b *Backend) startEviction(t *tree, due bool) {
	u := &t.usage
	if u.eviction != nil {
		return
	}
	e := &eviction{done: make(chan struct{})}
	u.eviction = e
	b.evictions.Go(func() {
		for idle := 0; ; due = false {
			scanned, removed, err := b.scan(t, due)
			if idle += scanned; removed {
				idle = 0
			}
			inVain := idle >= b.layout.fanOut
			if u.evictionEnds(err, inVain) {
				return
			}
			if inVain {
				time.Sleep(time.Millisecond)
			}
		}
	})
}

// scan counts the entries of the next slices. If there is little room, or the last scan
// is too old, it removes the expired ones, and if that does not make room, a batch of
// those which expire soonest. It takes locks only to remove files.
func (b *Backend) scan(t *tree, due bool) (slices int, removed bool, err error) {
	u, now := &t.usage, time.Now()
	if u.estimated() {
		if err := b.countUnlisted(t, now); err != nil {
			return 0, false, err
		}
	}
	listed, all, err := b.listNext(t, now)
	if err != nil {
		return 0, false, err
	}
	if err := b.correctCount(context.Background(), t); err != nil {
		return 0, false, err
	}
	u.mu.Lock()
	before := b.evicted.Load() + b.expired.Load()
	sweep := due || u.threshold == NoLimit || u.needsRoom()
	if _, whole := u.scanned(); !whole {
		u.giveRoom()
	}
	u.mu.Unlock()
	if !sweep {
		return len(listed), false, nil
	}
	live, passed, err := b.examine(t, all, now)
	if err != nil {
		return 0, false, err
	}
	stillLive, held, err := b.removeExpired(passed, now)
	if err != nil {
		return 0, false, err
	}
	for _, index := range listed {
		u.setHeld(index, held[index])
	}
	if err := b.removeSoonest(t, append(live, stillLive...), len(all)); err != nil {
		return 0, false, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	// Scans of an enormous directory take at most a hundredth of the time.
	u.nextScan = now.Add(max(scanInterval*time.Duration(len(listed))/time.Duration(b.layout.fanOut), 100*time.Since(now)))
	return len(listed), b.evicted.Load()+b.expired.Load() > before, nil
}

// listNext lists slices in turn, until there are as many entries as one scan looks at.
func (b *Backend) listNext(t *tree, now time.Time) (listed []int, all []candidate, err error) {
	u := &t.usage
	u.scanBegins()
	for len(listed) < b.layout.fanOut && len(all) < u.scanSize {
		index := u.nextSlice()
		s, names, err := b.countSlice(t, index, now)
		if err != nil {
			return nil, nil, err
		}
		listed = append(listed, index)
		all = slices.Grow(all, len(names))
		for _, name := range names {
			all = append(all, candidate{slice: s, name: name})
		}
	}
	return listed, all, nil
}

// countUnlisted replaces estimates by numbers before anything is evicted for lack of
// room. It is several scans: writers wait for one of them at most.
func (b *Backend) countUnlisted(t *tree, now time.Time) error {
	seen := 0
	for _, index := range t.usage.unlisted() {
		if seen == 0 {
			t.usage.scanBegins()
		}
		_, names, err := b.countSlice(t, index, now)
		if err != nil {
			return err
		}
		if seen += len(names); seen >= t.usage.scanSize {
			seen = 0
		}
	}
	return nil
}

// countSlice lists a slice, and counts its entries. When the list begins, no write of
// this Backend is between counting its entry and giving it a name, so that each is in the
// list or counted as added since.
func (b *Backend) countSlice(t *tree, index int, now time.Time) (*slice, []string, error) {
	s, err := t.slice(index, false)
	if err = ignoreNotExist(ignoreCorrupt(err)); err != nil {
		return nil, nil, err
	}
	if s == nil {
		if t.countAbsent(index) {
			return nil, nil, nil
		}
		return b.countSlice(t, index, now)
	}
	select {
	case <-b.closing:
		return nil, nil, driver.ErrClosed
	case s.writer <- struct{}{}:
		t.usage.listBegins(index)
		<-s.writer
	}
	s, names, err := list(t, index, now, 0)
	if err == nil {
		t.usage.counted(index, len(names))
	}
	return s, names, err
}

// countAbsent counts no entries in a slice that is absent, unless a write has opened it
// meanwhile, which may have counted its entry already.
func (t *tree) countAbsent(index int) bool {
	t.opening.Lock()
	defer t.opening.Unlock()
	if t.slices[index].Load() != nil {
		return false
	}
	t.usage.listBegins(index)
	t.usage.counted(index, 0)
	return true
}

// candidate is an entry that may be evicted.
type candidate struct {
	slice   *slice
	name    string
	mtime   time.Time
	expires time.Time // orders the candidates
}

// examine divides the entries into those whose modification time is later than now,
// and the others.
func (b *Backend) examine(t *tree, all []candidate, now time.Time) (live, passed []candidate, err error) {
	live = make([]candidate, 0, len(all))
	files, bytes := int64(0), int64(0)
	for _, c := range all {
		select {
		case <-b.closing:
			return nil, nil, driver.ErrClosed
		default:
		}
		info, err := c.slice.stat(c.name)
		if err != nil { // removed meanwhile, or not a regular file
			continue
		}
		files++
		bytes += info.bytes
		c.mtime, c.expires = info.mtime, info.mtime
		if c.mtime.After(now) {
			live = append(live, c)
		} else {
			passed = append(passed, c)
		}
	}
	t.usage.sized(files, bytes)
	return live, passed, nil
}

// removeExpired removes files whose modification time has passed, and returns those
// which have not expired: file systems cut times to seconds or to 32 bits, and backups
// change them. A file without a valid header counts as expired, but not one that cannot
// be read for now, for example because too many files are open. held is the number of files
// in each slice that it could not remove.
func (b *Backend) removeExpired(passed []candidate, now time.Time) (live []candidate, held [fanOut]int, err error) {
	err = b.eachLocked(passed, func(c candidate) {
		h, _, err := c.slice.readHead(c.name, 0)
		if h.expires.leased(now) {
			h.expires = 0 // a lease is evicted after all entries
		}
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err == nil && !h.expires.expired(now):
			c.expires = entry{expires: h.expires, written: now}.mtime()
			live = append(live, c)
		case ignoreCorrupt(err) == nil && c.slice.tryRemove(c.name):
			b.expired.Add(1)
		default:
			held[c.slice.index]++
		}
	})
	return live, held, err
}

// removeSoonest removes those of the live entries that expire soonest, if there is
// little room: as many of what a scan has seen as of the whole directory.
func (b *Backend) removeSoonest(t *tree, live []candidate, seen int) error {
	u := &t.usage
	u.mu.Lock()
	excess := u.excess(seen)
	u.mu.Unlock()
	slices.SortFunc(live, func(x, y candidate) int { return x.expires.Compare(y.expires) })
	return b.eachLocked(live[:min(excess, len(live))], func(c candidate) {
		info, err := c.slice.stat(c.name)
		switch {
		case err != nil || !info.mtime.Equal(c.mtime): // removed or rewritten meanwhile
		case c.slice.tryRemove(c.name):
			b.evicted.Add(1)
		default:
			u.addHeld(c.slice.index)
		}
	})
}

// eachLocked calls op for each candidate with the lock of its slice held. It releases
// the lock after a few, so that writers need not wait for long.
func (b *Backend) eachLocked(all []candidate, op func(candidate)) error {
	const chunkSize = 4
	for len(all) > 0 {
		s, n := all[0].slice, 1
		for n < min(chunkSize, len(all)) && all[n].slice == s {
			n++
		}
		err := b.withLock(context.Background(), s, func() error {
			for _, c := range all[:n] {
				op(c)
			}
			return nil
		})
		if err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

// tryRemove evicts the file of an entry, and reports whether it is absent now. The
// caller holds the lock.
func (s *slice) tryRemove(name string) bool {
	err := s.remove(name)
	if err == nil {
		s.tree.usage.evicted(s.index)
		s.uncounted--
	}
	return ignoreNotExist(err) == nil
}
