package simple

import "sync/atomic"

// Eviction is S3-FIFO (Yang and others, "FIFO queues are all you need for cache
// eviction", SOSP 2023). New entries wait in a small queue. Who was not used by the
// time it reaches the end goes, so that a scan over many keys passes through a
// small part of the cache and leaves the rest alone. The others move to the main
// queue, where each use buys another round. A key that went from the small queue
// and soon comes back starts in the main one.
//
// The paper leaves numbers open. These have the most hits for Zipf's distribution
// with and without scans, from 500 to 100,000 entries: the small queue a 25th of the
// entries, a ghost of half their number, one use to stay, and up to 7 uses counted.

const (
	smallPart = 25
	ghostPart = 2
	maxUses   = 7
	// maxSpared bounds the work of one eviction where all entries are in use. On
	// average there is little: who is spared pays with a use.
	maxSpared = 1000
)

// evict removes one entry of a shard that has some: an expired one if there is.
// It is called before the new entry comes in, which thus cannot be its victim.
func (s *shard) evict() {
	if s.clock.passed(s.sweep.soonest) && s.evictExpired() {
		return
	}
	if s.ghost.sets == nil {
		s.ghost = newGhost(s.share / ghostPart)
	}
	for spared := 0; ; spared++ {
		from := s.nextQueue()
		id := s.queues.oldest(from)
		n := s.node(id)
		uses := atomic.LoadUint32(&n.uses)
		if uses > 0 && spared < maxSpared && !s.clock.passed(n.deadline) {
			atomic.StoreUint32(&n.uses, uses-1)
			s.queues.unlink(id)
			s.queues.push(id, main)
			continue
		}
		// Where the node was replaced a moment ago, the new one is looked at.
		if s.drop(n) {
			if from == small {
				s.ghost.remember(n.hash)
			}
			return
		}
	}
}

// nextQueue returns the queue whose oldest entry is the next to prove itself.
func (s *shard) nextQueue() queue {
	length := s.queues.length
	if length[main] == 0 || length[small] > (length[small]+length[main])/smallPart {
		return small
	}
	return main
}
