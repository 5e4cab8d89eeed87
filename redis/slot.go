package redis

import (
	"fmt"
	"strings"

	"github.com/cachebackends/cachebackends/core/driver"
)

// leaseMark ends the name of a lease: it follows the key, and two more bytes follow it.
const leaseMark = "\x00lease"

const leaseSuffix = len(leaseMark) + 2

// leaseName returns the name under which the lease of key is stored, in the same slot of a
// cluster. If key has a hash tag, the tag alone selects the slot. Otherwise the last two
// bytes do: the checksum is a linear function of them, so there is a pair for each of its
// values, of which four mean the same slot.
func leaseName(key string) string {
	target := checksum(0, key)
	state := checksum(target, leaseMark)
	for {
		last := unshift(target) ^ state
		first, second := byte(last>>8), byte(last)
		if first != '}' && second != '}' { // which could end a hash tag
			return key + leaseMark + string([]byte{first, second})
		}
		target += slots
	}
}

// isLeaseName reports whether a key is reserved for a lease.
func isLeaseName(key string) bool {
	begin := len(key) - leaseSuffix
	return begin >= 0 && strings.HasPrefix(key[begin:], leaseMark)
}

var errLeaseName = fmt.Errorf("%w: a key that ends in %q and two bytes is the name of a lease", driver.ErrInvalidKey, leaseMark)

const (
	slots      = 1 << 14 // of a cluster; the slot of a key is its checksum modulo slots
	polynomial = 0x1021  // of CRC-16/XMODEM
)

// checksum continues a CRC-16/XMODEM with text.
func checksum(crc uint16, text string) uint16 {
	for i := range len(text) {
		crc = crc<<8 ^ checksums[byte(crc>>8)^text[i]]
	}
	return crc
}

// checksums has the checksum of each byte.
var checksums = func() (table [256]uint16) {
	for i := range table {
		crc := uint16(i) << 8
		for range 8 {
			if top := crc & 0x8000; top != 0 {
				crc = crc<<1 ^ polynomial
			} else {
				crc <<= 1
			}
		}
		table[i] = crc
	}
	return table
}()

// unshift returns the state from which two bytes of zero lead to crc.
func unshift(crc uint16) uint16 {
	for range 16 {
		if crc&1 != 0 {
			crc = (crc^polynomial)>>1 | 0x8000
		} else {
			crc >>= 1
		}
	}
	return crc
}
