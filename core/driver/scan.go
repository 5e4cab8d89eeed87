package driver

import (
	"context"
	"iter"
	"time"
)

// Entry describes one entry that [Scanner] found. TTL and Size may be of an earlier
// moment than the one at which the entry is given out.
type Entry struct {
	Key  string
	TTL  time.Duration // remaining; 0 for one that never expires
	Size int64         // bytes of the value; -1 if the store does not tell it without reading the value
}

// Scanner lists the entries whose key begins with prefix, "" for all, in no order. An
// entry that is present from the beginning to the end of the scan is given out exactly
// once; one that is written, removed or evicted meanwhile, once or not at all. Entries that
// have expired, markers of leases and everything that the backend stores for itself are
// not given out.
//
// Scan blocks no other caller for longer than one step of a bounded number of entries,
// and needs memory for what it must remember to give out no key twice, not for the
// values. It never changes an entry, its expiry or its place in the order of eviction.
// The scan ends early if the consumer stops, and with one error as its last pair, beside
// a zero Entry, if ctx is done or the store fails.
// Fallback: none; Cache.Scan returns errors.ErrUnsupported.
type Scanner interface {
	Scan(ctx context.Context, prefix string) iter.Seq2[Entry, error]
}
