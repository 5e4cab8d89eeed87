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

func (b *Backend) checkSize(value []byte) error {
	if len(value) <= b.valueLimit {
		return nil
	}
	remedy := "Spread (spread) stores larger values"
	if b.options.Spread {
		remedy = "MaxChunks (max_chunks) raises it"
	}
	return fmt.Errorf("%w: %d bytes, the limit is %d; %s", driver.ErrTooLarge, len(value), b.valueLimit, remedy)
}

// lastDate is the latest date in the server's 32 bits with a sign: 2038-01-19.
const lastDate = math.MaxInt32

// graceSeconds is by how much an entry may expire earlier than its seconds on the server say.
// The server counts in ticks of a second, and the current tick has begun already. The next
// one may be shorter as well: ticks come some milliseconds late, and when that adds up to a
// second, the server's clock jumps by two.
const graceSeconds = 2

// expiryOf returns the expiry to send for ttl, 0 if the entry never expires.
func expiryOf(ttl time.Duration) int64 {
	if ttl == 0 {
		return 0
	}
	seconds := int64((ttl-1)/time.Second) + 1 + graceSeconds
	if seconds > wire.MaxRelative {
		return min(time.Now().Unix()+seconds, lastDate)
	}
	return seconds
}

// later returns an expiry that is seconds after another.
func later(expiry, seconds int64) int64 {
	switch {
	case expiry == 0:
		return 0
	case expiry+seconds > wire.MaxRelative && expiry <= wire.MaxRelative:
		return time.Now().Unix() + expiry + seconds
	}
	return min(expiry+seconds, lastDate)
}
