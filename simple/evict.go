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

// evict removes one entry, an expired one if sweep finds one, and keeps its room for
// the caller. It returns false if the shard has no entry except the one at the place
// keep, which is not removed; 0 is the place of no entry. A new entry cannot be the
// victim, because evict is called before it is inserted.
func (s *shard) evict(keep uint32) bool {
	nodes := s.table.Load().usage.nodes
	if nodes == 0 || nodes == 1 && keep != 0 {
		return false
	}
	if s.clock.passed(s.sweep.soonest) && s.evictExpired(keep) {
		return true
	}
	s.fitGhost(nodes)
	for reinserted := 0; ; reinserted++ {
		from := s.nextQueue()
		id := s.queues.oldest(from)
		if id == keep && from == main && s.queues.isAlone(id) { // it may weigh far more than all others
			from, id = small, s.queues.oldest(small)
		}
		n := s.node(id)
		uses := atomic.LoadUint32(&n.uses)
		if id == keep || uses > 0 && reinserted < maxReinserted && !s.clock.passed(n.deadline) {
			atomic.StoreUint32(&n.uses, max(uses, 1)-1)
			s.queues.unlink(id, s.load(n))
			s.queues.push(id, main, s.load(n))
			continue
		}
		// If the node has just been replaced, the loop examines the new one.
		if s.drop(n) {
			if from == small {
				s.ghost.remember(n.hash)
			}
			s.evictions++
			return true
		}
	}
}

// nextQueue returns the queue whose oldest entry is examined next.
func (s *shard) nextQueue() queue {
	load := s.queues.load
	if load[main] == 0 || load[small] > (load[small]+load[main])/smallPart {
		return small
	}
	return main
}

// fitGhost makes the ghost before the first eviction. If the cache is bounded in bytes,
// the number of entries changes with their size, and the ghost follows.
func (s *shard) fitGhost(nodes int) {
	keys := s.share
	if s.room.maxBytes > 0 {
		keys = min(keys, nodes)
	}
	if s.ghost.sets == nil || s.room.maxBytes > 0 && keys > 2*ghostPart*ghostWays*len(s.ghost.sets) {
		s.ghost = newGhost(keys / ghostPart)
	}
}
