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
func (b *Backend) Inc(_ context.Context, key string, delta int64, ttl time.Duration) (sum int64, err error) {
	n := &node{key: key}
	deadline := b.clock.deadline(ttl)
	_, err = b.update(n, func(old *node) (bool, error) {
		n.deadline, sum = deadline, delta
		if old != nil {
			n.deadline = old.deadline
			if sum, err = old.plus(delta); err != nil {
				return false, err
			}
		}
		n.setBytes(strconv.AppendInt(nil, sum, 10))
		return true, nil
	})
	return sum, err
}

// plus returns the sum of delta and the integer stored in n.
func (n *node) plus(delta int64) (int64, error) {
	text, ok := n.bytes()
	if !ok {
		return 0, fmt.Errorf("%w: the entry is a Go value", driver.ErrNotInteger)
	}
	return driver.AddInteger(text, delta)
}
