package simple

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"unsafe"
)

// hasher computes a hash of 64 bits. Its secrets are random, so that an attacker
// cannot choose keys of one bucket.
//
// It is wyhash, which the Go runtime uses for maps on processors without AES
// instructions: 128-bit products of the words of the key and the secrets, folded.
// Package maphash is slower for keys of up to 64 bytes, and adds a call to every hit.
type hasher [3]uint64

func newHasher() hasher { return hasher{rand.Uint64(), rand.Uint64(), rand.Uint64()} }

// hash makes no call and has no bounds checks, so that it needs no stack frame.
func (h *hasher) hash(key string) uint64 {
	n, first := len(key), unsafe.Pointer(unsafe.StringData(key))
	state := h[0]
	for left := n; left > 16; left -= 16 {
		at := unsafe.Add(first, n-left)
		state = fold(word(at)^h[1], word(unsafe.Add(at, 8))^state)
	}
	// The last 16 bytes; some of them may be used twice.
	var a, b uint64
	if n >= 8 {
		a, b = word(unsafe.Add(first, max(n-16, 0))), word(unsafe.Add(first, n-8))
	} else {
		for i := range n {
			a = a<<8 | uint64(key[i])
		}
	}
	return fold(h[2]^uint64(n), fold(a^h[1], b^state))
}

func fold(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return high ^ low
}

// word returns the eight bytes at p; it compiles to one load.
func word(p unsafe.Pointer) uint64 { return binary.LittleEndian.Uint64((*[8]byte)(p)[:]) }

// same reports whether a == b. It is small enough to be inlined, and for keys of a
// common length it avoids the two calls of ==.
func same(a, b string) bool {
	type half = [16]byte
	n := len(a)
	if n != len(b) {
		return false
	}
	if n < 16 || n > 32 {
		return a == b
	}
	x, y := unsafe.Pointer(unsafe.StringData(a)), unsafe.Pointer(unsafe.StringData(b))
	return *(*half)(x) == *(*half)(y) && *(*half)(unsafe.Add(x, n-16)) == *(*half)(unsafe.Add(y, n-16))
}
