package redis

import (
	"encoding/binary"
	"hash/maphash"
)

// keySet remembers keys by 96 bits of their hashes. With a billion keys, the probability
// that it takes a new key for a known one is below 1e-10.
type keySet struct {
	seeds [2]maphash.Seed
	known map[[12]byte]struct{}
}

func newKeySet() keySet {
	return keySet{[2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, make(map[[12]byte]struct{})}
}

// add reports whether key was not in the set.
func (s keySet) add(key string) bool {
	var id [12]byte
	binary.LittleEndian.PutUint64(id[:], maphash.String(s.seeds[0], key))
	binary.LittleEndian.PutUint32(id[8:], uint32(maphash.String(s.seeds[1], key)))
	if _, known := s.known[id]; known {
		return false
	}
	s.known[id] = struct{}{}
	return true
}
