package driver

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// ParseInteger reads the decimal text of an int64: an optional minus sign and digits,
// without plus sign, leading zeros, "-0" or blanks. This is the form that
// strconv.AppendInt writes, and the only one that every store counts in the same way.
func ParseInteger(text []byte) (n int64, ok bool) {
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

// AddInteger adds delta to the integer in text. It returns [ErrNotInteger] if
// [ParseInteger] rejects text or the sum overflows int64.
func AddInteger(text []byte, delta int64) (sum int64, err error) {
	n, ok := ParseInteger(text)
	if !ok {
		return 0, ErrNotInteger
	}
	return AddInt64(n, delta)
}

// AddInt64 returns n + delta, or [ErrNotInteger] if the sum overflows.
func AddInt64(n, delta int64) (sum int64, err error) {
	sum = n + delta
	if (sum > n) != (delta > 0) && delta != 0 {
		return 0, fmt.Errorf("%w: sum overflows int64", ErrNotInteger)
	}
	return sum, nil
}

// RoundUp returns d in whole units, rounded up, without overflow. A positive d gives
// at least 1, so that a short TTL does not become 0, which means no expiry.
func RoundUp(d, unit time.Duration) int64 {
	n := int64(d / unit)
	if d%unit > 0 {
		n++
	}
	return n
}
