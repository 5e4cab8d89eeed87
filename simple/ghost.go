package simple

// ghost remembers the hashes of keys that were evicted without a use. A key that is
// stored again while it is remembered was evicted too early. ghost is an array of
// sets, each of them a FIFO: 4 bytes per key. A hash that is forgotten early, or
// that two keys have in common, only costs a little precision.
type ghost struct {
	sets [][ghostWays]uint32
}

// ghostWays is the size of a set: 16 bytes, which share a cache line.
const ghostWays = 4

func newGhost(keys int) ghost {
	return ghost{sets: make([][ghostWays]uint32, keys/ghostWays+1)}
}

func (g *ghost) set(hash uint32) *[ghostWays]uint32 {
	return &g.sets[uint64(hash)*uint64(len(g.sets))>>32]
}

func (g *ghost) remember(hash uint32) {
	set := g.set(hash)
	copy(set[1:], set[:])
	set[0] = hash
}

// recall reports whether hash is remembered, and forgets it.
func (g *ghost) recall(hash uint32) bool {
	if len(g.sets) == 0 {
		return false
	}
	set := g.set(hash)
	for i, remembered := range set {
		if remembered == hash {
			copy(set[i:], set[i+1:])
			set[ghostWays-1] = 0
			return true
		}
	}
	return false
}
