package simple

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cachebackends/cachebackends/core/driver"
)

// shard is a complete cache for a part of the keys. Reading, and replacing the value
// of a key, use only table; everything else is guarded by mu. The two are on
// separate cache lines, so that taking the lock does not slow down readers.
type shard struct {
	table atomic.Pointer[table] // closedTable after Close
	_     [56]byte

	mu     sync.Mutex
	clock  *clock
	room   *room
	expect func(deadline int64) // wakes the reaper
	share  int                  // approximate number of entries when the cache is full
	spare  int64                // bytes of room that evictions have left to this shard
	queues queues
	ghost  ghost
	sweep  sweep
	leases leases

	evictions, expirations int64
	_                      [56]byte
}

// find returns the node of key, expired or not, its slot and the table; or nil.
func (s *shard) find(hash uint64, key string) (n *node, slot *slot, t *table, err error) {
	t = s.table.Load()
	if n, slot = t.find(hash, key); n == nil && t.moved.Load() {
		s.mu.Lock()
		if t, err = s.open(); err == nil {
			n, slot = t.find(hash, key)
		}
		s.mu.Unlock()
	}
	return n, slot, t, err
}

// replace puts n into the slot of old, in the table t, if old is still in it, and
// reports whether it was. It counts as a use. The key stays the one of old, which
// insert has copied.
func (s *shard) replace(t *table, slot *slot, old, n *node) bool {
	n.key = old.key
	n.place = old.place
	n.uses = min(atomic.LoadUint32(&old.uses)+1, maxUses)
	if n.deadline < old.deadline || n.units != old.units && s.room.maxBytes > 0 {
		return s.replaceLocked(t, slot, old, n)
	}
	if !slot.CompareAndSwap(old, n) {
		return false
	}
	if n.units != old.units {
		t.usage.weight.Add(n.weight() - old.weight())
	}
	return true
}

func (s *shard) replaceLocked(t *table, slot *slot, old, n *node) bool {
	grown := n.weight() - old.weight()
	for {
		s.mu.Lock()
		replaced, full := s.exchange(t, slot, old, n, grown)
		s.mu.Unlock()
		if !full {
			return replaced
		}
		s.room.make(grown, s, old.place)
	}
}

// exchange is replaceLocked without the lock. full means that other shards have to make
// room.
func (s *shard) exchange(t *table, slot *slot, old, n *node, grown int64) (replaced, full bool) {
	if s.table.Load() != t || slot.Load() != old {
		return false, false
	}
	bounded := s.room.maxBytes > 0
	if bounded && grown > 0 && !s.charge(grown, old.place) {
		return false, true
	}
	s.admit(n.deadline)
	if !slot.CompareAndSwap(old, n) {
		s.refund(max(grown, 0))
		return false, false
	}
	t.usage.weight.Add(grown)
	if bounded {
		s.queues.load[s.queues.places[n.place].queue] += grown
		s.refund(max(-grown, 0))
		s.returnSpare()
	}
	return true, false
}

// insert adds n if its key is absent, and reports whether it was. The entry gets a
// copy of the key: that of the caller may be a part of a large text, or a view of a
// buffer that the caller uses again.
func (s *shard) insert(n *node, hash uint64) (inserted bool, err error) {
	n.key = strings.Clone(n.key)
	err = s.withRoom(n, func() (full bool, err error) {
		t, err := s.open()
		if err != nil {
			return false, err
		}
		if old, _ := t.find(hash, n.key); old != nil {
			return false, nil
		}
		inserted = s.add(t, n, hash)
		return !inserted, nil
	})
	return inserted, err
}

// withRoom calls add with the lock. If add returns full, other shards make room for n,
// and withRoom calls add again.
func (s *shard) withRoom(n *node, add func() (full bool, err error)) error {
	for {
		s.mu.Lock()
		full, err := add()
		s.mu.Unlock()
		if !full || err != nil {
			return err
		}
		s.room.make(n.weight(), nil, 0)
	}
}

// add adds n, whose key is absent, to the open shard, and ends the lease of the key. It
// returns false if other shards have to make room.
func (s *shard) add(t *table, n *node, hash uint64) bool {
	if s.room.maxBytes > 0 && !s.charge(n.weight(), 0) {
		return false
	}
	if len(s.leases.byKey) > 0 {
		s.endLease(n.key)
	}
	if t.usage.nodes > 0 && !s.room.take() {
		s.evict(0)
	}
	if t.full() {
		t = s.grow(t)
	}
	s.admit(n.deadline)
	n.place = s.queues.reserve()
	s.queues.places[n.place].at = t.insert(n, tagOf(hash))
	if s.ghost.recall(n.hash) {
		s.queues.push(n.place, main, s.load(n))
	} else {
		s.queues.push(n.place, small, s.load(n))
	}
	if s.isSparse() { // large values have taken the place of small ones
		s.shrink()
	}
	return true
}

// delete removes key and returns its node, or nil.
func (s *shard) delete(hash uint64, key string) (*node, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.open()
	if err != nil {
		return nil, err
	}
	if len(s.leases.byKey) > 0 {
		s.endLease(key)
	}
	for {
		n, _ := t.find(hash, key)
		if n == nil || s.release(n) {
			return n, nil
		}
	}
}

func (s *shard) clearPrefix(prefix string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.open(); err != nil {
		return err
	}
	for i, p := range s.queues.places {
		id := uint32(i)
		if p.queue == unused || !strings.HasPrefix(s.node(id).key, prefix) {
			continue
		}
		for !s.release(s.node(id)) {
			// Another goroutine replaced the node by one of the same key.
		}
	}
	for key := range s.leases.byKey {
		if strings.HasPrefix(key, prefix) {
			delete(s.leases.byKey, key)
		}
	}
	return nil
}

// The methods below are called with mu held, and except for open and close only if
// the shard is open.

func (s *shard) open() (*table, error) {
	t := s.table.Load()
	if t == closedTable {
		return nil, driver.ErrClosed
	}
	return t, nil
}

// node returns the node of an entry, never nil: slots are emptied only with mu held.
func (s *shard) node(id uint32) *node {
	return s.table.Load().slot(s.queues.places[id].at).Load()
}

// load returns what n adds to the load of its queue.
func (s *shard) load(n *node) int64 {
	if s.room.maxBytes > 0 {
		return n.weight()
	}
	return 1
}

// release removes n, unless it has been replaced, and returns its room.
func (s *shard) release(n *node) bool {
	if !s.drop(n) {
		return false
	}
	s.returnPlace()
	s.returnSpare()
	return true
}

// drop removes n, unless it has been replaced, and keeps its room for the caller.
func (s *shard) drop(n *node) bool {
	if !s.table.Load().remove(s.queues.places[n.place].at, n) {
		return false
	}
	s.queues.remove(n.place, s.load(n))
	s.refund(n.weight())
	return true
}

// grow doubles the table, up to the size that a full cache needs.
func (s *shard) grow(t *table) *table {
	size := 2 * targetLoad * len(t.buckets)
	if t.usage.nodes < s.share {
		size = min(size, s.share)
	}
	larger := newTable(size, t.usage)
	t.moveTo(larger, func(n *node, at uint32) { s.queues.places[n.place].at = at })
	s.table.Store(larger)
	return larger
}

// firstSize is the number of entries for which an empty shard allocates memory: a
// table and queues of 16 KB each.
const firstSize = 1000

// reset makes the shard empty.
func (s *shard) reset() {
	size := min(s.share, firstSize)
	s.table.Store(newTable(size, new(usage)))
	s.queues = newQueues(size)
	s.ghost = ghost{}
	s.spare = 0
	s.sweep = newSweep()
	s.leases = leases{}
}

// close makes every further call fail, and releases the memory.
func (s *shard) close() {
	s.table.Store(closedTable)
	s.queues = queues{}
	s.ghost = ghost{}
	s.spare = 0
	s.leases = leases{}
}
