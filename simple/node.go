package simple

import (
	"sync/atomic"
	"unsafe"
)

// node is one entry as it was stored. Once it is in a table only uses changes: a
// new value is a new node in the same slot and place. A node is 64 bytes, one cache
// line, so that reading it costs at most one miss of the processor's cache.
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
