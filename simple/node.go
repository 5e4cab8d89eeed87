package simple

import (
	"fmt"
	"strconv"
	"sync/atomic"
	"unsafe"

	cache "github.com/cachebackends/cachebackends/core"
)

// node is one entry as it was stored. Once it is in a table nothing in it changes
// but uses: a new value is a new node, in the same slot and place. Its 64 bytes are
// one cache line, which keeps a hit in a large cache to one miss of the processor's
// cache for the entry itself.
type node struct {
	key      string
	value    any // a *raw, or the Go value that was given to SetValue
	size     int // length of the bytes behind a *raw
	deadline int64

	// uses counts hits since the queues last looked, up to maxUses. A hot entry is at its maximum, so that reading
	// it writes nothing and processors do not fight over its cache line.
	uses uint32 // atomic once the node is in a table

	hash  uint32 // the half of the key's hash that finds its bucket
	place uint32 // of the entry in the queues of its shard
}

// used counts a hit. Two readers at once may count one: nothing depends on it.
func (n *node) used() {
	if uses := atomic.LoadUint32(&n.uses); uses < maxUses {
		atomic.StoreUint32(&n.uses, uses+1)
	}
}

// raw is the type of stored bytes in node.value: a type that no caller can name,
// so that it cannot be mistaken for a Go value of theirs. An interface holding a
// pointer to the first byte, with the length beside it, needs neither the
// allocation nor the extra memory access of an interface holding a slice.
type raw byte

func (n *node) setBytes(value []byte) {
	if value == nil {
		value = []byte{}
	}
	n.value, n.size = (*raw)(unsafe.SliceData(value)), len(value)
}

// bytes returns the stored bytes, and whether the entry holds bytes at all. The
// capacity is the length: an append by a caller copies.
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

// plus returns the sum of delta and the decimal text that is stored.
func (n *node) plus(delta int64) (int64, error) {
	text, ok := n.bytes()
	if !ok {
		return 0, fmt.Errorf("%w: the entry is a Go value", cache.ErrNotInteger)
	}
	number, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return 0, cache.ErrNotInteger
	}
	sum := number + delta
	if (sum > number) != (delta > 0) && delta != 0 {
		return 0, fmt.Errorf("%w: the sum is out of range", cache.ErrNotInteger)
	}
	return sum, nil
}
