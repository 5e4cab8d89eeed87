package filesystem

import (
	"math"
	"slices"
	"sync"
	"time"
)

// usage is what this Backend knows of the entries in the directory. It is not stored on
// disk, where a crash would leave it wrong: a listing of a fan-out directory makes its
// number exact, as far as no other process writes.
type usage struct {
	threshold int
	fanOut    int // number of slices
	scanSize  int // number of entries that one scan looks at: whole slices, at least one, until there are as many

	mu             sync.Mutex
	entries        int // in all slices, and promised
	promised       int // room that writes have been given and do not use yet
	held           int // entries that eviction could not remove; the threshold excludes them
	slices         [fanOut]sliceUsage
	addedSinceScan int // entries that this Backend added since its last scan began
	nextScan       time.Time
	cursor         int             // the slice that the next scan begins with
	listed         int             // slices that have been listed
	waiting        []chan struct{} // writes that wait for room; closed when it is theirs
	credit         int             // entries evicted since a write passed
	eviction       *eviction       // in progress, or nil

	sizedFiles, sizedBytes int64 // of files written and scanned lately
}

type sliceUsage struct {
	listed         bool
	entries        int // when it was last listed, and what this Backend has changed since
	held           int
	addedSinceScan int
}

// defaultScanSize makes a scan of the whole directory, which takes about 10 ms, out of
// every scan of a small cache.
const defaultScanSize = 4096

// scanInterval is the shortest time between two scans of the whole directory while it is
// below its threshold.
const scanInterval = 10 * time.Minute

// scanned returns the number of entries that one scan looks at, of a full directory or,
// without a limit, of the present one.
func (u *usage) scanned() (entries int, whole bool) {
	all := u.threshold
	if all == NoLimit {
		all = max(1000, u.entries)
	}
	return min(all, max(u.scanSize, all/u.fanOut)), all <= u.scanSize
}

// batchSize is the number of entries that are added between two scans, and the number
// that one scan of a full directory removes. A constant part of what it looks at makes
// the average cost of a Set constant.
func (u *usage) batchSize() int {
	scanned, _ := u.scanned()
	if u.threshold == NoLimit {
		return scanned
	}
	return max(1, scanned/8)
}

// scanAfter returns the number of added entries after which a scan begins, and that at
// which writes wait for its end. If scans look at a part of the directory, they begin
// early, so that writes seldom wait.
func (u *usage) scanAfter() (begin, wait int) {
	batch := u.batchSize()
	switch _, whole := u.scanned(); {
	case whole:
		return batch, batch
	case u.threshold == NoLimit:
		return batch, math.MaxInt
	}
	return batch / 2, batch
}

// full reports whether n more entries would exceed the threshold.
func (u *usage) full(n int) bool {
	return u.threshold != NoLimit && u.entries-u.held+n > u.threshold
}

// hasRoom reports whether a new entry need not wait. As long as the number of entries is
// an estimate, it may exceed the threshold by an eighth.
func (u *usage) hasRoom() bool {
	if _, whole := u.scanned(); whole || u.listed == u.fanOut {
		return !u.full(1)
	}
	return !u.full(1 - u.threshold/8)
}

// nearlyFull reports whether n more entries would leave little room, a 64th of the
// threshold. If scans look at the whole directory, it is full: they keep the threshold
// exactly.
func (u *usage) nearlyFull(n int) bool {
	if _, whole := u.scanned(); whole {
		return u.full(n)
	}
	return u.full(n + u.threshold/64)
}

// needsRoom reports whether a scan has to remove live entries. If scans look at the
// whole directory, they do so only for a write that waits.
func (u *usage) needsRoom() bool {
	_, whole := u.scanned()
	return u.full(0) || u.nearlyFull(1) && (!whole || len(u.waiting) > 0)
}

// excess returns the number of entries that an eviction removes from the seen entries: an
// eighth of the threshold more than exceed it, and as many of the seen entries as of all.
func (u *usage) excess(seen int) int {
	if !u.needsRoom() {
		return 0
	}
	excess := u.entries - u.held - u.threshold
	if _, whole := u.scanned(); !whole || len(u.waiting) > 0 {
		excess += max(1, u.threshold/8, min(len(u.waiting), u.threshold))
	} else {
		excess = max(0, excess-u.addedSinceScan) // which may be counted twice
	}
	if seen < u.entries {
		excess = int((int64(excess)*int64(seen) + int64(u.entries) - 1) / int64(u.entries))
	}
	return max(0, excess)
}

// added counts an entry of this Backend.
func (u *usage) added(index int) {
	u.entries++
	u.addedSinceScan++
	u.slices[index].entries++
	u.slices[index].addedSinceScan++
}

// removed counts an entry that has been removed.
func (u *usage) removed(index int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.slices[index].entries--
	u.entries--
	u.giveRoom()
}

// release gives back what was promised to a write.
func (u *usage) release() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.usePromise()
	u.giveRoom()
}

// usePromise ends a promise of giveRoom.
func (u *usage) usePromise() {
	u.entries--
	u.promised--
}

// giveRoom promises the room that there is to the writes that wait for it, in their
// order.
func (u *usage) giveRoom() {
	for len(u.waiting) > 0 && u.hasRoom() {
		u.letPass()
	}
}

// letPass promises room to the first of the writes that wait.
func (u *usage) letPass() {
	u.entries++
	u.promised++
	close(u.waiting[0])
	u.waiting = u.waiting[1:]
}

// evicted counts an entry that an eviction has removed. If a large directory has far more
// entries than it may have, a write passes for every second one, so that none waits for
// the whole excess.
func (u *usage) evicted(index int) {
	u.removed(index)
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, whole := u.scanned(); whole || len(u.waiting) == 0 {
		return
	}
	if u.credit++; u.credit >= 2 {
		u.credit = 0
		u.letPass()
	}
}

// leave ends the wait of a write, and reports whether it was given room.
func (u *usage) leave(turn chan struct{}) (given bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	i := slices.Index(u.waiting, turn)
	if i >= 0 {
		u.waiting = slices.Delete(u.waiting, i, i+1)
	}
	return i < 0
}

// nextSlice returns the slice that is to be listed now.
func (u *usage) nextSlice() (index int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	index = u.cursor
	u.cursor = (u.cursor + 1) % u.fanOut
	return index
}

// estimated reports whether there may be little room, according to an estimate.
func (u *usage) estimated() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, whole := u.scanned()
	return !whole && u.listed < u.fanOut && u.needsRoom()
}

// unlisted returns the slices that have not been listed.
func (u *usage) unlisted() (indexes []int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i := range u.fanOut {
		if !u.slices[i].listed {
			indexes = append(indexes, i)
		}
	}
	return indexes
}

// listBegins precedes the list of a slice.
func (u *usage) listBegins(index int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.slices[index].addedSinceScan = 0
}

// counted sets the number of entries of a slice, which was listed since listBegins. The
// list may contain entries that were added meanwhile.
func (u *usage) counted(index, listed int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	s := &u.slices[index]
	if !s.listed {
		s.listed = true
		u.listed++
	}
	n := listed + s.addedSinceScan
	u.entries += n - s.entries
	s.entries = n
}

// scanBegins lets as many entries be added as may be between the beginnings of two scans.
// Were it at the end, writers would wait for all the scan that follows.
func (u *usage) scanBegins() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.addedSinceScan = 0
	if _, whole := u.scanned(); !whole {
		u.giveRoom()
	}
}

// setHeld sets the number of entries of a slice that could not be removed.
func (u *usage) setHeld(index, n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.held += n - u.slices[index].held
	u.slices[index].held = n
	u.giveRoom()
}

// estimate sets the number of entries of a slice that has not been listed.
func (u *usage) estimate(index, n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.entries += n
	u.slices[index].entries = n
}

func (u *usage) addHeld(index int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.held++
	u.slices[index].held++
	u.giveRoom()
}

// sized notes the sizes of files.
func (u *usage) sized(files, bytes int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	const many = 1 << 16
	u.sizedFiles += files
	u.sizedBytes += bytes
	for u.sizedFiles > many {
		u.sizedFiles, u.sizedBytes = u.sizedFiles/2, u.sizedBytes/2
	}
}
