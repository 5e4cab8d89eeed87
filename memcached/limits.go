package memcached

import (
	"fmt"
	"math"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/memcached/internal/wire"
)

// keyLimit is the largest size of a key, in bytes.
const keyLimit = 250

// checkKey rejects keys that would end a command of the text protocol early. The binary
// protocol could send them, but a server may be used with both.
func checkKey(key string, limit int) error {
	if key == "" {
		return fmt.Errorf("%w: empty", driver.ErrInvalidKey)
	}
	if len(key) > limit {
		return fmt.Errorf("%w: %d bytes with the prefix, the limit is %d", driver.ErrInvalidKey, len(key), limit)
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] == 0x7f {
			return fmt.Errorf("%w: memcached supports neither spaces nor control characters, and there is 0x%02x",
				driver.ErrInvalidKey, key[i])
		}
	}
	return nil
}

func checkSize(value []byte, limit int) error {
	if len(value) > limit {
		return fmt.Errorf("%w: %d bytes, the limit is %d", driver.ErrTooLarge, len(value), limit)
	}
	return nil
}

const (
	// never is the expiry of an entry without one.
	never = 0
	// lastDate is the latest date in the server's 32 bits with a sign: 2038-01-19.
	lastDate = math.MaxInt32
)

// expiryOf returns the expiry to send for ttl. The server counts in ticks of a second, and
// the tick that has begun does not last a whole second any more. The next one may not
// either: ticks come some milliseconds late, and every few minutes, when that adds up to
// a second, the server's clock jumps by two. So two seconds are added to the rounded
// value. The remaining TTL that the server reports is in the same ticks: a client that
// asked for it could not expire an entry sooner either, and would shorten the TTL of
// entries that others stored.
func expiryOf(ttl time.Duration) int64 {
	if ttl == 0 {
		return never
	}
	seconds := int64((ttl-1)/time.Second) + 1 + 2
	if seconds > wire.MaxRelative {
		return min(time.Now().Unix()+seconds, lastDate)
	}
	return seconds
}

// later returns an expiry that is seconds after another.
func later(expiry int64, seconds int64) int64 {
	switch {
	case expiry == never:
		return never
	case expiry+seconds > wire.MaxRelative && expiry <= wire.MaxRelative:
		return time.Now().Unix() + expiry + seconds
	}
	return min(expiry+seconds, lastDate)
}
