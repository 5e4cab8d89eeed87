package observe

import (
	"slices"

	cache "github.com/cachebackends/cachebackends/core"
)

// Class says what an event describes.
type Class int

const (
	Call   Class = iota // a call of the store
	Load                // one call of a load, with its duration
	Wait                // the wait of a caller for a load that another has started
	Stale               // an answer with a stale value
	Notice              // something that belongs to no operation, such as a breaker that opens
)

// reads and writes are the operations of package cache.
var (
	reads  = []string{"get", "get_many", "get_dict", "has", "ttl", "lease", "ping", "stats", "scan"}
	writes = []string{"set", "set_many", "add", "delete", "delete_many", "inc", "dec", "clear", "fill", "release", "compare_and_swap"}
)

// ClassOf returns the class of an event.
func ClassOf(e cache.Event) Class {
	switch e.Op {
	case cache.OpLoad:
		return Load
	case cache.OpWait:
		return Wait
	case cache.OpStale:
		return Stale
	}
	if e.Duration == 0 && !slices.Contains(reads, e.Op) && !slices.Contains(writes, e.Op) {
		return Notice
	}
	return Call
}

// IsRead reports whether op is a call that changes no value. The Bytes of its event were
// read, those of other events were written.
func IsRead(op string) bool { return slices.Contains(reads, op) }

// lookups are the operations whose Hits and Misses are keys that were looked up. Those of
// a scan were listed.
var lookups = []string{"get", "get_many", "get_dict", "has", "ttl", "lease"}

// IsLookup reports whether op looks up keys.
func IsLookup(op string) bool { return slices.Contains(lookups, op) }

// Lookups returns the number of keys that an event has found and not found, 0 if its
// operation does not look up keys.
func Lookups(e cache.Event) (hits, misses int) {
	if !IsLookup(e.Op) {
		return 0, 0
	}
	return e.Hits, e.Misses
}
