package simple

import (
	"context"
	"iter"
	"math"
	"strings"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Scan lists the entries whose key begins with prefix. Entry.Size of a Go value is -1. It
// holds the lock of one shard at a time for the duration of a step, a few microseconds;
// hits and overwrites need no lock.
func (b *Backend) Scan(ctx context.Context, prefix string) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		var found []listed
		for i := range b.shards {
			for cursor := uint64(0); cursor < endOfHashes; {
				err := ctx.Err()
				if err == nil {
					found, cursor, err = b.shards[i].scan(cursor, prefix, found[:0])
				}
				if err != nil {
					yield(driver.Entry{}, err)
					return
				}
				for _, e := range found {
					left, live := b.leftUntil(e.deadline)
					if live && !yield(driver.Entry{Key: e.key, TTL: left, Size: e.size}, nil) {
						return
					}
				}
			}
		}
	}
}

// listed is what a scan remembers of a node. A node would keep its value in memory.
type listed struct {
	key      string
	deadline int64
	size     int64 // -1 for a Go value
}

func (n *node) listed() listed {
	size := int64(-1)
	if n.isBytes() {
		size = int64(n.size)
	}
	return listed{n.key, n.deadline, size}
}

const (
	endOfHashes = math.MaxUint32 + 1
	// bucketsPerScan are the buckets of one step of a scan, about 1,000 entries.
	bucketsPerScan = 256
)

// scan appends to found the entries with prefix whose hash is at least cursor, from the next
// few buckets, and returns the hash from which the next call goes on. The order of hashes
// stays the same while entries come and go and the table grows, so that a scan in this
// order meets each key once.
func (s *shard) scan(cursor uint64, prefix string, found []listed) ([]listed, uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.open()
	if err != nil {
		return nil, 0, err
	}
	first := t.home(uint32(cursor))
	end := min(first+bucketsPerScan, len(t.buckets))
	for i := first; i < end; i++ {
		t.eachOf(i, func(n *node) {
			if uint64(n.hash) >= cursor && strings.HasPrefix(n.key, prefix) {
				found = append(found, n.listed())
			}
		})
	}
	return found, t.firstHash(end), nil
}

// eachOf calls visit for each node whose hash selects bucket i. Some of them may be in
// later buckets. The lock of the shard is held.
func (t *table) eachOf(i int, visit func(n *node)) {
	at := i
	for range t.buckets {
		b := &t.buckets[at]
		for j := range b.slots {
			if n := b.slots[j].Load(); n != nil && t.home(n.hash) == i {
				visit(n)
			}
		}
		if b.tags.Load() < passedOne {
			return
		}
		at = t.after(at)
	}
}

// firstHash returns the lowest hash that selects bucket i or a later one.
func (t *table) firstHash(i int) uint64 {
	buckets := uint64(len(t.buckets))
	return (uint64(i)<<32 + buckets - 1) / buckets
}

var _ driver.Scanner = (*Backend)(nil)
