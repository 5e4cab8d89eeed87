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
	share  int // approximate number of entries when the cache is full
	queues queues
	ghost  ghost
	sweep  sweep
	leases leases
	_      [56]byte
}

// room counts the entries that may still be added without an eviction. One entry per
// shard is not counted but reserved, so that no shard has to evict from another: an
// empty shard uses its reserved entry, every other shard evicts one of its own.
// Shards thus divide the limit as the keys require, and never exceed it together.
type room struct{ left atomic.Int64 }

// take takes room for one entry and reports whether there was any.
func (r *room) take() bool {
	for {
		left := r.left.Load()
		if left <= 0 {
			return false
		}
		if r.left.CompareAndSwap(left, left-1) {
			return true
		}
	}
}

// find returns the node of key, expired or not, and its slot; or nil.
func (s *shard) find(hash uint64, key string) (*node, *slot, error) {
	t := s.table.Load()
	n, slot := t.find(hash, key)
	if n == nil && t.moved.Load() {
		return s.findLocked(hash, key)
	}
	return n, slot, nil
}

func (s *shard) findLocked(hash uint64, key string) (*node, *slot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.open()
	if err != nil {
		return nil, nil, err
	}
	n, slot := t.find(hash, key)
	return n, slot, nil
}

// store puts n into the slot of old, or inserts it if old is nil, and reports
// whether old was still in place, or still absent.
func (s *shard) store(slot *slot, old, n *node, hash uint64) (bool, error) {
	if old != nil {
		return s.replace(slot, old, n), nil
	}
	return s.insert(n, hash)
}

// replace puts n into the slot of old if old is still in it, and reports whether it
// was. It counts as a use. The key stays the one of old, which insert has copied.
func (s *shard) replace(slot *slot, old, n *node) bool {
	n.key = old.key
	n.place = old.place
	n.uses = min(atomic.LoadUint32(&old.uses)+1, maxUses)
	if n.deadline < old.deadline {
		return s.shorten(slot, old, n)
	}
	return slot.CompareAndSwap(old, n)
}

// shorten is replace by a node that expires sooner, which sweep has to take into
// account.
func (s *shard) shorten(slot *slot, old, n *node) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep.admit(n.deadline)
	return slot.CompareAndSwap(old, n)
}

// insert adds n if its key is absent, and reports whether it was. The entry gets a
// copy of the key: that of the caller may be a part of a large text, or a view of a
// buffer that the caller uses again.
func (s *shard) insert(n *node, hash uint64) (bool, error) {
	n.key = strings.Clone(n.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.open()
	if err != nil {
		return false, err
	}
	if old, _ := t.find(hash, n.key); old != nil {
		return false, nil
	}
	s.add(t, n, hash)
	return true, nil
}

// add adds n, whose key is absent, to the open shard, and ends the lease of the key.
func (s *shard) add(t *table, n *node, hash uint64) {
	if len(s.leases.byKey) > 0 {
		s.endLease(n.key)
	}
	if t.used > 0 && !s.room.take() {
		s.evict()
	}
	if t.full() {
		t = s.grow(t)
	}
	s.sweep.admit(n.deadline)
	n.place = s.queues.reserve()
	s.queues.places[n.place].at = t.insert(n, tagOf(hash))
	if s.ghost.recall(n.hash) {
		s.queues.push(n.place, main)
	} else {
		s.queues.push(n.place, small)
	}
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

// release removes n, unless it has been replaced, and returns its room.
func (s *shard) release(n *node) bool {
	if !s.drop(n) {
		return false
	}
	if s.table.Load().used > 0 {
		s.room.left.Add(1)
	}
	return true
}

// drop removes n, unless it has been replaced, and keeps its room for the caller.
func (s *shard) drop(n *node) bool {
	if !s.table.Load().remove(s.queues.places[n.place].at, n) {
		return false
	}
	s.queues.remove(n.place)
	return true
}

// grow doubles the table, up to the size that a full cache needs.
func (s *shard) grow(t *table) *table {
	size := 2 * targetLoad * len(t.buckets)
	if t.used < s.share {
		size = min(size, s.share)
	}
	larger := newTable(size)
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
	s.table.Store(newTable(size))
	s.queues = newQueues(size)
	s.ghost = ghost{}
	s.sweep = newSweep()
	s.leases = leases{}
}

// close makes every further call fail, and releases the memory.
func (s *shard) close() {
	s.table.Store(closedTable)
	s.queues = queues{}
	s.ghost = ghost{}
	s.leases = leases{}
}
