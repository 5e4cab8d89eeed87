package simple

import (
	"math/bits"
	"sync/atomic"
)

// table finds nodes by key. It is an array of buckets of one cache line each. A
// key belongs to the bucket that its hash names; where that is full it lives in
// the first bucket after it with room.
//
// Readers take no lock, and neither does who replaces the node of a key by
// another: one compare-and-swap of its slot. To fill a slot or to empty it, a
// writer holds the lock of the shard. Why that is sound:
//
//   - Nodes are immutable and reached through atomic pointers: whatever node a
//     reader meets is complete, and the key in it tells whether it is the one
//     looked for. Tags only save comparisons; a stale tag costs time, never truth.
//   - A key keeps its slot as long as it is in the table. So a key that is there
//     throughout a search is found, and a miss means that it was absent at some
//     moment of the search.
//   - A slot that still holds the node which a writer saw there belongs to the same
//     key: the writer's own pointer keeps that node's address from being used again.
//   - To grow, a writer marks the table as moved, takes the nodes out of it one by
//     one, and publishes a larger table that has them all. Every node is in one
//     table at most, so that no replacement is lost in the old. Who misses a key in
//     a table that is marked looks again with the lock, hence after the move. Close
//     does the same with no table to follow, and so costs a hit nothing.
//   - Removed nodes and old tables are the garbage collector's, which waits for the
//     last reader.
type table struct {
	buckets []bucket
	moved   atomic.Bool
	used    int // nodes in the table; guarded by the shard's lock
}

type bucket struct {
	// tags holds eight bits of the hash for each slot in its lower seven bytes. The
	// upper byte counts the keys that passed through because the bucket was full;
	// a reader stops where it is 0. One that reaches maxPassed stays there.
	tags  atomic.Uint64
	slots [slotsPerBucket]slot
}

type slot = atomic.Pointer[node]

const (
	slotsPerBucket = 7
	// Tables are made for targetLoad nodes per bucket, and replaced beyond maxLoad.
	targetLoad = 4
	maxLoad    = 6

	passedShift = 56
	passedOne   = 1 << passedShift
	maxPassed   = 255
)

// closedTable is what a closed shard has: nothing, and nothing to follow.
var closedTable = func() *table {
	t := newTable(0)
	t.moved.Store(true)
	return t
}()

func newTable(nodes int) *table {
	return &table{buckets: make([]bucket, nodes/targetLoad+1)}
}

// A hash is used in parts that do not overlap: the lower 32 bits choose the
// bucket, 8 bits above them are the tag, and the topmost choose the shard.

// home returns the index of the bucket that hash belongs to: hash scaled to the
// number of buckets, which need not be a power of two.
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

// match returns a word with the top bit of byte i set where tag i may be tag.
// It is never missing where they are equal; a rare extra one does no harm.
func match(tags uint64, tag uint8) uint64 {
	const lows, highs = 0x0001010101010101, 0x0080808080808080
	differ := tags ^ lows*uint64(tag)
	return (differ - lows) &^ differ & highs
}

// guess returns the slot that most likely has the key of hash. It is small enough
// to be inlined, and right for nearly all keys that are in the table; the caller
// compares the keys, and calls find where they differ.
func (t *table) guess(hash uint64) *slot {
	b := &t.buckets[t.home(uint32(hash))]
	// Where no tag matches, it is the last slot: any will do.
	const last = 0x80 << (8 * (slotsPerBucket - 1))
	return &b.slots[bits.TrailingZeros64(match(b.tags.Load(), tagOf(hash))|last)/8]
}

// find returns the node of key and its slot, where by now there may be another
// node; or nil.
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

// The methods below are called with the shard's lock held. They name a slot by its
// number in the table, which fits the queues' places better than a pointer.

func (t *table) slot(at uint32) *slot {
	return &t.buckets[at/slotsPerBucket].slots[at%slotsPerBucket]
}

// insert adds a node whose key is not in the table, which has room, and returns
// the number of its slot.
func (t *table) insert(n *node, tag uint8) uint32 {
	t.used++
	for i := t.home(n.hash); ; i = t.after(i) {
		b := &t.buckets[i]
		tags := b.tags.Load()
		for j := range b.slots {
			if b.slots[j].Load() == nil {
				// The node before its tag: who sees the tag finds the node.
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
	t.used--
	// n no longer passes through the buckets from its home to this one.
	for i := t.home(n.hash); i != int(at/slotsPerBucket); i = t.after(i) {
		b := &t.buckets[i]
		if tags := b.tags.Load(); tags>>passedShift < maxPassed {
			b.tags.Store(tags - passedOne)
		}
	}
	return true
}

// full reports whether another node calls for a larger table.
func (t *table) full() bool { return t.used >= maxLoad*len(t.buckets) }

// moveTo moves all nodes to larger and calls moved for each with its new slot.
func (t *table) moveTo(larger *table, moved func(n *node, at uint32)) {
	t.moved.Store(true)
	for i := range t.buckets {
		b := &t.buckets[i]
		tags := b.tags.Load()
		for j := range b.slots {
			if n := b.slots[j].Swap(nil); n != nil {
				moved(n, larger.insert(n, uint8(tags>>(8*j))))
			}
		}
	}
}
