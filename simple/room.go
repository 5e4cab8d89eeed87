package simple

import (
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/cachebackends/cachebackends/core/driver"
)

// room counts what may still be added without an eviction.
//
// It counts entries if their number is bounded. One entry per shard is not counted but
// reserved, so that no shard has to evict from another: an empty shard uses its
// reserved entry, every other shard evicts one of its own. Shards thus divide the limit
// as the keys require, and never exceed it together.
//
// It counts bytes if they are bounded. A shard that has its share of them evicts its
// own entries, and keeps the room that is left over for its next entries, so that full
// shards do not compete for one counter. A shard that has less, or that needs more than
// it has, makes the others evict: see make.
type room struct {
	counted bool         // whether the number of entries is bounded
	left    atomic.Int64 // entries

	maxBytes  int64        // 0 = no bound
	share     int64        // of a shard in maxBytes
	mostSpare int64        // of a shard
	bytes     atomic.Int64 // left
	shards    []shard
}

// spareParts bounds what the shards keep for themselves to a 64th of the bytes.
const spareParts = 64

// take takes room for one entry and reports whether there was any.
func (r *room) take() bool { return !r.counted || takeFrom(&r.left, 1) }

func takeFrom(counter *atomic.Int64, n int64) bool {
	for {
		left := counter.Load()
		if left < n {
			return false
		}
		if counter.CompareAndSwap(left, left-n) {
			return true
		}
	}
}

// reset makes all room available, of which limit is the number of entries.
func (r *room) reset(limit int64) {
	r.left.Store(limit)
	r.bytes.Store(r.maxBytes)
}

// tooLarge returns the error for a node that is heavier than the bound.
func (b *Backend) tooLarge(n *node) error {
	return fmt.Errorf("%w: the entry takes %d bytes of memory, at most %d fit (MaxBytes)", driver.ErrTooLarge, n.weight(), b.room.maxBytes)
}

// make evicts entries of the shards that have the most, until there is room for need
// bytes, but not the entry at the place keep of the shard own. The caller holds no lock.
// It tries again afterwards: another goroutine may have taken the room.
func (r *room) make(need int64, own *shard, keep uint32) {
	r.collectSpare()
	var empty *shard
	for r.bytes.Load() < need {
		s := r.fullest(empty)
		if s == nil { // other goroutines have taken room and not yet used it
			runtime.Gosched()
			return
		}
		kept := uint32(0)
		if s == own {
			kept = keep
		}
		s.mu.Lock()
		if s.evict(kept) {
			s.returnPlace()
		} else {
			empty = s
		}
		s.returnSpare()
		s.mu.Unlock()
	}
}

func (r *room) collectSpare() {
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		s.returnSpare()
		s.mu.Unlock()
	}
}

// fullest returns the shard other than except whose entries weigh most, or nil if all
// are empty.
func (r *room) fullest(except *shard) (fullest *shard) {
	most := int64(0)
	for i := range r.shards {
		s := &r.shards[i]
		if weight := s.table.Load().usage.weight.Load(); weight > most && s != except {
			fullest, most = s, weight
		}
	}
	return fullest
}

// The methods below are called with the lock of the shard held.

// charge takes room for need bytes, for which it evicts entries except for the one at
// the place keep. It returns false if other shards have to make room.
func (s *shard) charge(need int64, keep uint32) bool {
	for {
		if s.spare >= need {
			s.spare -= need
			break
		}
		if takeFrom(&s.room.bytes, need-s.spare) {
			s.spare = 0
			break
		}
		if s.table.Load().usage.weight.Load()+need <= s.room.share || !s.evict(keep) {
			return false
		}
		s.returnPlace()
	}
	if s.spare > s.room.mostSpare {
		s.returnSpare()
	}
	return true
}

// refund adds to the spare room of the shard.
func (s *shard) refund(bytes int64) {
	if s.room.maxBytes > 0 {
		s.spare += bytes
	}
}

// returnSpare makes the spare room of the shard available to all.
func (s *shard) returnSpare() {
	if s.spare > 0 {
		s.room.bytes.Add(s.spare)
		s.spare = 0
	}
}

// returnPlace returns the room of an entry that was removed. That of the last entry
// stays reserved.
func (s *shard) returnPlace() {
	if s.room.counted && s.table.Load().usage.nodes > 0 {
		s.room.left.Add(1)
	}
}
