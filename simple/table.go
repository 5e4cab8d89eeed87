package simple

import (
	"math/bits"
	"sync/atomic"
)

// table maps keys to nodes. It is an array of buckets of one cache line each. A key
// belongs to the bucket that its hash selects; if that is full, to the first bucket
// after it with room.
//
// Readers take no lock. A writer that replaces the node of a key takes no lock
// either, but swaps the pointer in its slot atomically. A writer that fills or
// empties a slot holds the lock of the shard. This is correct for these reasons:
//
//   - Nodes are immutable and reached through atomic pointers. Every node that a
//     reader sees is complete, and its key decides whether it is the right one.
//     Tags only save comparisons; a stale tag costs time.
//   - A key keeps its slot as long as it is in the table. A key that is present
//     throughout a search is found; a miss means that the key was absent at some
//     moment of the search.
//   - A slot that still holds the node which a writer saw belongs to the same key:
//     the writer's pointer keeps the address of the node from being reused.
//   - To grow the table, a writer marks it as moved, moves its nodes to a larger
//     table one by one, and publishes that table. Every node is in at most one
//     table, so that no replacement is lost in the old one. A reader that misses a
//     key in a marked table repeats the search with the lock, hence after the move.
//     Close marks the table as well, so that a hit need not check for it.
//   - The garbage collector frees removed nodes and old tables after their last
//     reader.
type table struct {
	buckets []bucket
	moved   atomic.Bool
	usage   *usage
}

// usage counts the nodes of a shard. It is not a part of table, so that counting does
// not invalidate the cache line from which every reader loads the address of the
// buckets. A table that replaces another continues its usage.
type usage struct {
	nodes  int          // guarded by the shard's lock
	weight atomic.Int64 // see node.weight
	_      [48]byte
}

type bucket struct {
	// The lower seven bytes of tags hold eight bits of the hash for each slot. The
	// upper byte counts the keys that were placed in a later bucket because this one
	// was full; a search ends where it is 0. A count of maxPassed does not change.
	tags  atomic.Uint64
	slots [slotsPerBucket]slot
}

type slot = atomic.Pointer[node]

const (
	slotsPerBucket = 7
	// A new table has targetLoad nodes per bucket, and 2 % of them outside the bucket
	// that their hash selects. At maxLoad, when the table grows, it is 12 %.
	targetLoad = 4
	maxLoad    = 6

	passedShift = 56
	passedOne   = 1 << passedShift
	maxPassed   = 255
)

// closedTable is the empty table of every closed shard.
var closedTable = func() *table {
	t := newTable(0, new(usage))
	t.moved.Store(true)
	return t
}()

func newTable(nodes int, u *usage) *table {
	return &table{buckets: make([]bucket, nodes/targetLoad+1), usage: u}
}

// The parts of a hash do not overlap: the lower 32 bits select the bucket, the 8 bits
// above them are the tag, and the top bits select the shard.

// home returns the index of the bucket that hash selects: hash scaled to the number
// of buckets, which need not be a power of two.
func (t *table) home(hash uint32) int {
	return int(uint64(hash) * uint64(len(t.buckets)) >> 32)
}

func tagOf(hash uint64) uint8 { return uint8(hash >> 32) }

func (t *table) after(i int) int {
	if i++; i < len(t.buckets) {
		return i
	}
	return 0
}

// match returns a word in which the top bit of byte i is set if tag i equals tag. In
// rare cases a bit is also set for another tag, which costs one comparison.
func match(tags uint64, tag uint8) uint64 {
	const lows, highs = 0x0001010101010101, 0x0080808080808080
	differ := tags ^ lows*uint64(tag)
	return (differ - lows) &^ differ & highs
}

// guess returns the slot that most likely has the key of hash. It is small enough to
// be inlined, and right for nearly all keys in the table; the caller compares the
// keys, and calls find if they differ.
func (t *table) guess(hash uint64) *slot {
	b := &t.buckets[t.home(uint32(hash))]
	// If no tag matches, the result is the last slot: any slot is correct.
	const last = 0x80 << (8 * (slotsPerBucket - 1))
	return &b.slots[bits.TrailingZeros64(match(b.tags.Load(), tagOf(hash))|last)/8]
}

// find returns the node of key and its slot, or nil. The node in the slot may have
// been replaced meanwhile.
func (t *table) find(hash uint64, key string) (*node, *slot) {
	i := t.home(uint32(hash))
	for range t.buckets {
		b := &t.buckets[i]
		tags := b.tags.Load()
		for m := match(tags, tagOf(hash)); m != 0; m &= m - 1 {
			slot := &b.slots[bits.TrailingZeros64(m)/8]
			if n := slot.Load(); n != nil && n.key == key {
				return n, slot
			}
		}
		if tags < passedOne {
			break
		}
		i = t.after(i)
	}
	return nil, nil
}

// The methods below are called with the shard's lock held. They identify a slot by
// its number in the table, which is half as large as a pointer.

func (t *table) slot(at uint32) *slot {
	return &t.buckets[at/slotsPerBucket].slots[at%slotsPerBucket]
}

// insert adds a node whose key is not in the table, which has room, and returns
// the number of its slot.
func (t *table) insert(n *node, tag uint8) uint32 {
	t.usage.nodes++
	t.usage.weight.Add(n.weight())
	return t.put(n, tag)
}

// put is insert without counting.
func (t *table) put(n *node, tag uint8) uint32 {
	for i := t.home(n.hash); ; i = t.after(i) {
		b := &t.buckets[i]
		tags := b.tags.Load()
		for j := range b.slots {
			if b.slots[j].Load() == nil {
				// The node comes first: a reader that sees the tag finds the node.
				b.slots[j].Store(n)
				b.tags.Store(tags&^(0xff<<(8*j)) | uint64(tag)<<(8*j))
				return uint32(i*slotsPerBucket + j)
			}
		}
		if tags>>passedShift < maxPassed {
			b.tags.Store(tags + passedOne)
		}
	}
}

// remove empties a slot if it still holds n, and reports whether it did.
func (t *table) remove(at uint32, n *node) bool {
	if !t.slot(at).CompareAndSwap(n, nil) {
		return false
	}
	t.usage.nodes--
	t.usage.weight.Add(-n.weight())
	// The buckets from its home to this one no longer count n.
	for i := t.home(n.hash); i != int(at/slotsPerBucket); i = t.after(i) {
		b := &t.buckets[i]
		if tags := b.tags.Load(); tags>>passedShift < maxPassed {
			b.tags.Store(tags - passedOne)
		}
	}
	return true
}

// full reports whether the table has to grow before another node is inserted.
func (t *table) full() bool { return t.usage.nodes >= maxLoad*len(t.buckets) }

// moveTo moves all nodes to larger, which has the same usage, and calls moved for each
// with its new slot.
func (t *table) moveTo(larger *table, moved func(n *node, at uint32)) {
	t.moved.Store(true)
	for i := range t.buckets {
		b := &t.buckets[i]
		tags := b.tags.Load()
		for j := range b.slots {
			if n := b.slots[j].Swap(nil); n != nil {
				moved(n, larger.put(n, uint8(tags>>(8*j))))
			}
		}
	}
}
