package simple

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"unsafe"
)

// hasher turns keys into 64 bits. Its secrets are random, so that nobody can choose
// keys that meet in one bucket.
//
// It is wyhash as the Go runtime uses it for maps where the processor has no AES
// instructions: products of 128 bits of the key's words and the secrets, folded.
// package maphash takes longer up to 64 bytes, and is a call more for every hit.
type hasher struct {
	secrets [3]uint64
}

func newHasher() hasher {
	var h hasher
	for i := range h.secrets {
		h.secrets[i] = rand.Uint64()
	}
	return h
}

// hash calls nothing and has no bounds to check, which spares it a stack frame.
func (h *hasher) hash(key string) uint64 {
	n, first := len(key), unsafe.Pointer(unsafe.StringData(key))
	state := h.secrets[0]
	for left := n; left > 16; left -= 16 {
		at := unsafe.Add(first, n-left)
		state = fold(word(at)^h.secrets[1], word(unsafe.Add(at, 8))^state)
	}
	// The last 16 bytes, some of which were or come twice.
	var a, b uint64
	if n >= 8 {
		a, b = word(unsafe.Add(first, max(n-16, 0))), word(unsafe.Add(first, n-8))
	} else {
		for i := range n {
			a = a<<8 | uint64(key[i])
		}
	}
	return fold(h.secrets[2]^uint64(n), fold(a^h.secrets[1], b^state))
}

func fold(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return high ^ low
}

// word returns the eight bytes at p; the compiler makes one load of it.
func word(p unsafe.Pointer) uint64 { return binary.LittleEndian.Uint64((*[8]byte)(p)[:]) }

// same reports whether a == b. It is small enough to be inlined, and spares a hit
// whose key is of common length the two calls of ==.
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
