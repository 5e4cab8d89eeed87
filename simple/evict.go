package simple

import "sync/atomic"

// Eviction is S3-FIFO (Yang and others, "FIFO queues are all you need for cache
// eviction", SOSP 2023). New entries enter a small queue. Entries that were not used
// before they reach its end are evicted, so that a scan over many keys passes
// through a small part of the cache. The others move to the main queue, where each
// use is worth another pass. A key that was evicted from the small queue and is
// stored again soon enters the main queue.
//
// The paper leaves the numbers open. These gave the most hits under Zipf's
// distribution, with and without scans, from 500 to 100,000 entries: the small queue
// is a 25th of the entries, the ghost has half their number, one use is enough to
// stay, and up to 7 uses are counted.

const (
	smallPart = 25
	ghostPart = 2
	maxUses   = 7
	// maxReinserted bounds the work of one eviction if all entries are in use: 1,000
	// reinsertions take 15 µs. The average is low, because each costs the entry a use.
	maxReinserted = 1000
)

// evict removes one entry of a shard that is not empty, an expired one if sweep finds
// one. It is called before the new entry is inserted, which cannot be the victim.
func (s *shard) evict() {
	if s.clock.passed(s.sweep.soonest) && s.evictExpired() {
		return
	}
	if s.ghost.sets == nil {
		s.ghost = newGhost(s.share / ghostPart)
	}
	for reinserted := 0; ; reinserted++ {
		from := s.nextQueue()
		id := s.queues.oldest(from)
		n := s.node(id)
		uses := atomic.LoadUint32(&n.uses)
		if uses > 0 && reinserted < maxReinserted && !s.clock.passed(n.deadline) {
			atomic.StoreUint32(&n.uses, uses-1)
			s.queues.unlink(id)
			s.queues.push(id, main)
			continue
		}
		// If the node has just been replaced, the loop examines the new one.
		if s.drop(n) {
			if from == small {
				s.ghost.remember(n.hash)
			}
			return
		}
	}
}

// nextQueue returns the queue whose oldest entry is examined next.
func (s *shard) nextQueue() queue {
	length := s.queues.length
	if length[main] == 0 || length[small] > (length[small]+length[main])/smallPart {
		return small
	}
	return main
}
