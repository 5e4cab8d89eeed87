package driver

import (
	"context"
	"iter"
	"time"
)

// Entry describes one entry that a [Scanner] found, as it was at a moment of the scan.
type Entry struct {
	Key  string
	TTL  time.Duration // remaining, more than 0; 0 for an entry that never expires
	Size int64         // bytes of the value, as Get returns it; -1 if the store knows it only after reading the value, or the entry changed meanwhile
}

// Scanner lists the entries whose key begins with prefix, byte for byte, in no order.
// An empty prefix lists all entries. If no key of the store can begin with prefix, the list
// is empty or [ErrInvalidKey].
//
// The list has each entry once that is present and unchanged from the beginning to the
// end of the scan. It has an entry that is stored, removed or evicted meanwhile once or
// not at all. It has no key twice. It does not have entries that have expired, leases,
// and what the backend stores for itself, such as parts of a large value. A scan does
// not read values, and so the list may have an entry whose bytes are damaged, which does
// not end the scan.
//
// Scan changes no entry, no expiry and no order of eviction. It proceeds in steps over
// a bounded number of entries: it blocks no other caller for longer than a step, and
// looks at ctx before each; [Operations] and cache.Cache look at ctx before each entry.
// It holds no lock while the caller's loop runs its body, which may call the backend.
// Memory does not depend on the number of entries, except for what Scan has to remember
// to list no key twice. A caller may keep Entry.Key, which shares no memory with anything
// larger.
//
// A list that ends without an error is complete. Otherwise its last pair is a zero Entry
// with the error: ctx.Err() if ctx is done, [ErrClosed] after Close, also during the
// scan, or the failure of the store. If the loop ends early, Scan leaves nothing behind,
// neither a goroutine nor a connection. Scan itself does nothing; every loop over its
// result is a new scan.
// Fallback: none; Cache.Scan returns errors.ErrUnsupported.
type Scanner interface {
	Scan(ctx context.Context, prefix string) iter.Seq2[Entry, error]
}

// MapEntries returns list with change(entry) in place of each entry, for a wrapper that
// changes keys or values.
func MapEntries(list iter.Seq2[Entry, error], change func(Entry) Entry) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for entry, err := range list {
			if err == nil {
				entry = change(entry)
			}
			if !yield(entry, err) {
				return
			}
		}
	}
}

// FailedScan returns a list that consists of err, for a [Scanner] that cannot begin.
func FailedScan(err error) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) { yield(Entry{}, err) }
}
