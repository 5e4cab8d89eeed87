package loader

import "math/rand/v2"

// nonce identifies a state of an entry, and orders the values that one entry has had. It
// consists of the lineage of the entry (random, 32 bits), the number of its changes (from a
// random start, 24 bits), and the lag (8 bits): how many changes ago the load of its value
// began, at most maxLag. A load stores its value by compare-and-swap of the state in which
// it began. 0 is the nonce of values that other code stored.
type nonce uint64

const (
	lagBits    = 8
	changeBits = 24
	maxLag     = 1<<lagBits - 1
	maxChanges = 1<<changeBits - 1
)

// newNonce returns the nonce of an entry that replaces no other.
func newNonce() nonce { return nonce(rand.Uint64())&^maxLag | 1 }

func (n nonce) lineage() uint32 { return uint32(n >> (changeBits + lagBits)) }
func (n nonce) changes() uint32 { return uint32(n>>lagBits) & maxChanges }
func (n nonce) lag() uint32     { return uint32(n) & maxLag }

// next returns the nonce of the state after n.
func (n nonce) next(lag uint32) nonce {
	changes := (n.changes() + 1) & maxChanges
	return nonce(n.lineage())<<(changeBits+lagBits) | nonce(changes)<<lagBits | nonce(min(lag, maxLag))
}

// changesSince returns how many changes n is later than old, of the same lineage.
func (n nonce) changesSince(old nonce) uint32 { return (n.changes() - old.changes()) & maxChanges }

// isLoadedBefore reports whether the load of the value of n began before the state old of
// the same lineage, or may have.
func (n nonce) isLoadedBefore(old nonce) bool {
	return n.lag() == maxLag || n.lag() > n.changesSince(old)
}
