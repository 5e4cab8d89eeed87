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
	n.weigh(longestInteger)
	_, err = b.update(b.hasher.hash(key), n, func(old *node) (bool, error) {
		var err error
		if old == nil {
			n.deadline, sum = b.clock.deadline(ttl), delta
		} else {
			n.deadline = old.deadline
			sum, err = old.plus(delta)
		}
		n.setBytes(strconv.AppendInt(nil, sum, 10))
		return err == nil, err
	})
	return sum, err
}

// longestInteger is the memory of the text of an int64.
const longestInteger = 24

// plus returns the sum of delta and the integer stored in n.
func (n *node) plus(delta int64) (int64, error) {
	text, ok := n.bytes()
	if !ok {
		return 0, fmt.Errorf("%w: the entry is a Go value", driver.ErrNotInteger)
	}
	return driver.AddInteger(text, delta)
}
