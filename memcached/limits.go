package memcached

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// keyLimit is how long a key may be, in bytes.
const keyLimit = 250

// checkKey refuses what would end the command of the text protocol early. The
// binary protocol could send it, but a server may be spoken to in both.
func checkKey(key string, limit int) error {
	if key == "" {
		return fmt.Errorf("%w: it is empty", cache.ErrInvalidKey)
	}
	if len(key) > limit {
		return fmt.Errorf("%w: %d bytes with the prefix, the limit is %d", cache.ErrInvalidKey, len(key), limit)
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] == 0x7f {
			return fmt.Errorf("%w: byte %d is 0x%02x, and memcached takes no blanks and no control characters",
				cache.ErrInvalidKey, i, key[i])
		}
	}
	return nil
}

func checkSize(value []byte, limit int) error {
	if len(value) > limit {
		return fmt.Errorf("%w: %d bytes, the limit is %d", cache.ErrTooLarge, len(value), limit)
	}
	return nil
}

const (
	never = 0
	// A larger number of seconds is a date to the server.
	longestRelative = 30 * 24 * 60 * 60
	// The server keeps 32 bits with a sign: the end of 2038-01-19.
	lastDate = math.MaxInt32
)

// expiryOf returns what to send for ttl. The server counts in ticks of a second, and
// the one that has begun does not last a second any more. Nor does another: a tick
// comes some milliseconds late, and every few minutes, when that adds up to a second,
// the server's clock jumps by two. So two seconds are added to what is rounded up.
// The remaining life that the server tells is in the same ticks: a client that asked
// for it could not end an entry sooner either, and would cut short what others stored.
func expiryOf(ttl time.Duration) int64 {
	if ttl == 0 {
		return never
	}
	seconds := int64((ttl-1)/time.Second) + 1 + 2
	if seconds > longestRelative {
		return min(time.Now().Unix()+seconds, lastDate)
	}
	return seconds
}

// later returns an expiry that is seconds after another.
func later(expiry int64, seconds int64) int64 {
	switch {
	case expiry == never:
		return never
	case expiry+seconds > longestRelative && expiry <= longestRelative:
		return time.Now().Unix() + expiry + seconds
	}
	return min(expiry+seconds, lastDate)
}

// flagInteger marks an integer in decimal. It is how Python's clients mark theirs,
// and it tells that blanks at the end are not of the value: the server adds them
// when a number that is counted down loses a digit.
const flagInteger = 1 << 1

// flagsOf returns the flags to store value with.
func flagsOf(value []byte) uint32 {
	if _, ok := integer(value); ok {
		return flagInteger
	}
	return 0
}

// integer reads a number that is written as strconv.Itoa would.
func integer(text []byte) (int64, bool) {
	const longest = len("-9223372036854775808")
	if len(text) == 0 || len(text) > longest || text[len(text)-1] < '0' || text[len(text)-1] > '9' {
		return 0, false
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return 0, false
	}
	var canonical [longest]byte
	return n, bytes.Equal(strconv.AppendInt(canonical[:0], n, 10), text)
}

// unpadded returns the value as it was stored.
func unpadded(value []byte, flags uint32) []byte {
	if flags == flagInteger {
		return bytes.TrimRight(value, " ")
	}
	return value
}
