package simple

import (
	"math"
	"sync/atomic"
	"unsafe"
)

// node is one entry as it was stored. Once it is in a table only uses changes: a
// new value is a new node in the same slot and place. A node is 64 bytes, one cache
// line, so that reading it costs at most one miss of the processor's cache.
//
// A hit writes only uses, and only up to maxUses times after a Set or an eviction.
// Besides the node it reads the hasher and byHash of Backend, the horizon of its clock,
// the table pointer of a shard, the table and one bucket. All of these lie on cache
// lines that hits never write, and Sets only where they change what a hit reads, except
// for horizon, which changes at every tick.
type node struct {
	key      string
	value    any // a *raw, or the Go value that was given to SetValue
	size     int // length of the bytes that a *raw points to
	deadline int64

	// uses counts hits up to maxUses; eviction decrements it. Hits of a hot entry,
	// whose uses are at the maximum, write nothing, so that processors do not
	// compete for its cache line.
	uses uint32 // atomic once the node is in a table

	hash  uint32 // the half of the key's hash that selects its bucket
	place uint32 // index of the entry in the queues of its shard
	units uint32 // weight, in units of 8 bytes
}

const (
	// overhead is what an entry needs in addition to its key and value: the node, and
	// its part of the table (11 to 21 bytes), of the queues (16 to 20) and of the ghost.
	overhead = 64 + 16 + 20 + 4
	// valueWeight counts for a Go value if there is no Options.Weight.
	valueWeight = 256

	unit = 8 // all sizes of the allocator are multiples of it
)

// weight returns the memory that the entry takes, in bytes.
func (n *node) weight() int64 { return int64(n.units) * unit }

// weigh sets the weight of an entry whose value takes bytes of memory. More than 32 GB
// counts as 32 GB.
func (n *node) weigh(bytes int64) {
	key := (len(n.key) + 15) &^ 15 // as the allocator rounds it, approximately
	bytes = min(max(bytes, 0), math.MaxInt64/2) + overhead + int64(key)
	n.units = uint32(min((bytes+unit-1)/unit, math.MaxUint32))
}

// used counts a hit. Concurrent hits may count as one; eviction needs no exact
// number.
func (n *node) used() {
	if uses := atomic.LoadUint32(&n.uses); uses < maxUses {
		atomic.StoreUint32(&n.uses, uses+1)
	}
}

// raw is the type of stored bytes in node.value. No caller can name it, so that
// bytes are never confused with a Go value of a caller. An interface that holds a
// pointer to the first byte, with the length in size, needs neither the allocation
// nor the memory access of an interface that holds a slice.
type raw byte

func (n *node) setBytes(value []byte) {
	if value == nil {
		value = []byte{}
	}
	n.value, n.size = (*raw)(unsafe.SliceData(value)), len(value)
	n.weigh(int64(cap(value)))
}

// bytes returns the stored bytes, and whether the entry holds bytes. The capacity
// equals the length, so that an append by a caller copies.
func (n *node) bytes() ([]byte, bool) {
	first, ok := n.value.(*raw)
	if !ok {
		return nil, false
	}
	return unsafe.Slice((*byte)(first), n.size), true
}

func (n *node) isBytes() bool {
	_, ok := n.value.(*raw)
	return ok
}
