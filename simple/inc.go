package simple

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Inc adds delta to the integer under key and returns the sum. A Go value is not
// an integer, whatever its type.
func (b *Backend) Inc(_ context.Context, key string, delta int64, ttl time.Duration) (int64, error) {
	hash := b.hasher.hash(key)
	s := b.shard(hash)
	for {
		old, slot, err := s.find(hash, key)
		if err != nil {
			return 0, err
		}
		n := &node{key: key, hash: uint32(hash)}
		sum := delta
		if old != nil && !b.clock.passed(old.deadline) {
			n.deadline = old.deadline
			if sum, err = old.plus(delta); err != nil {
				return 0, err
			}
		} else {
			n.deadline = b.clock.deadline(ttl)
		}
		n.setBytes(strconv.AppendInt(nil, sum, 10))
		done, err := s.store(slot, old, n, hash)
		if err != nil {
			return 0, err
		}
		if done {
			return sum, nil
		}
	}
}

// plus returns the sum of delta and the integer stored in n.
func (n *node) plus(delta int64) (int64, error) {
	text, ok := n.bytes()
	if !ok {
		return 0, fmt.Errorf("%w: the entry is a Go value", driver.ErrNotInteger)
	}
	return driver.AddInteger(text, delta)
}
