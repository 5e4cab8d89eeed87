package simple

import (
	"sync"
	"sync/atomic"
	"time"
)

// reaper removes expired entries although nobody calls, so that their memory does not
// stay in use. Its timer runs only while an entry has a deadline, and next fires when
// one has passed.
//
// A walk over the entries of a shard costs about 100 ns for each, and is needed only if
// one of them has expired. Walks start at multiples of reapPeriod, and after a walk the
// next one waits for reapPause times as long as it took: they use at most 2 % of a
// processor however many entries there are. A walk holds the lock of one shard for
// reapSlice entries at a time.
type reaper struct {
	due       atomic.Int64 // when the timer fires; never if it does not run
	notBefore atomic.Int64 // earliest start of the next walk

	mu     sync.Mutex
	timer  *time.Timer // nil until first used
	closed bool
	walk   sync.Mutex // held during a walk
}

const (
	reapPeriod = int64(20 * time.Second)
	reapPause  = 50
	reapSlice  = 512
)

// expect makes the timer fire after deadline. It is called with the lock of a shard.
func (b *Backend) expect(deadline int64) {
	r := &b.reaper
	if deadline > farthest-reapPeriod || b.reapAt(deadline) >= r.due.Load() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	at := b.reapAt(deadline)
	if r.closed || at >= r.due.Load() {
		return
	}
	r.due.Store(at)
	wait := time.Duration(at - b.clock.now())
	if r.timer == nil {
		r.timer = time.AfterFunc(wait, b.reap)
	} else {
		r.timer.Reset(wait)
	}
}

// reapAt returns the start of the first walk after deadline.
func (b *Backend) reapAt(deadline int64) int64 {
	return max((deadline/reapPeriod+1)*reapPeriod, b.reaper.notBefore.Load())
}

// reap removes what has expired.
func (b *Backend) reap() {
	r := &b.reaper
	r.walk.Lock()
	defer r.walk.Unlock()
	now := b.clock.now()
	r.due.Store(never) // an entry that is stored from here on sets the timer itself
	soonest := int64(never)
	for i := range b.shards {
		soonest = min(soonest, b.shards[i].reap(now))
	}
	end := b.clock.now()
	r.notBefore.Store(end + reapPause*(end-now))
	b.expect(soonest)
}

// stop ends the timer, and waits for a walk, which ends at the next closed shard. The
// caller has closed the shards and holds no lock of one.
func (r *reaper) stop() {
	r.mu.Lock()
	r.closed = true
	if r.timer != nil {
		r.timer.Stop()
	}
	r.mu.Unlock()
	r.walk.Lock()
	defer r.walk.Unlock()
}

// reap removes the entries that have expired by now, and returns a time before which no
// other entry expires.
func (s *shard) reap(now int64) (soonest int64) {
	for {
		s.mu.Lock()
		soonest = s.reapSlice(now)
		s.mu.Unlock()
		if soonest > now {
			return soonest
		}
	}
}

// reapSlice is a part of reap, with the lock held.
func (s *shard) reapSlice(now int64) (soonest int64) {
	if _, err := s.open(); err != nil {
		return never
	}
	for credit := reapSlice; credit > 0 && s.sweep.soonest <= now; credit-- {
		if s.dropExpired(now, &credit, 0) {
			s.returnPlace()
			s.returnSpare()
		}
	}
	if s.sweep.soonest > now && s.isSparse() {
		s.shrink()
	}
	return s.sweep.soonest
}

// isSparse reports whether the table has room for more than eight times the entries
// that are present.
func (s *shard) isSparse() bool {
	t := s.table.Load()
	room := targetLoad * len(t.buckets)
	return room > 2*firstSize && room > 8*t.usage.nodes
}

// shrink moves the entries of a sparse shard to a table and queues of twice their
// number. Their nodes are copied, because a node in a table keeps its place.
func (s *shard) shrink() {
	t := s.table.Load()
	size := max(2*t.usage.nodes, min(s.share, firstSize))
	smaller, packed := newTable(size, t.usage), newQueues(size)
	t.moved.Store(true)
	for _, q := range []queue{small, main} {
		for id := s.queues.oldest(q); id != uint32(q); id = s.queues.places[id].newer {
			at := s.queues.places[id].at
			tag := uint8(t.buckets[at/slotsPerBucket].tags.Load() >> (8 * (at % slotsPerBucket)))
			old := t.slot(at).Swap(nil)
			n := &node{
				key: old.key, value: old.value, size: old.size, deadline: old.deadline,
				uses: atomic.LoadUint32(&old.uses), hash: old.hash, units: old.units, place: packed.reserve(),
			}
			packed.places[n.place].at = smaller.put(n, tag)
			packed.push(n.place, q, s.load(n))
		}
	}
	s.queues = packed
	s.sweep.next, s.sweep.seen = 0, never
	s.table.Store(smaller)
}
