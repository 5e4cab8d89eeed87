package driver

import "context"

// Stater returns statistics of the store.
// Fallback: none; Cache.Stats returns errors.ErrUnsupported.
type Stater interface {
	Stats(ctx context.Context) (Stats, error)
}

// Stats describes a store at one moment. A number is -1 if the store does not know it.
// Counters begin at 0 when the backend is opened and never decrease.
type Stats struct {
	Entries     int64 // present now; entries that have expired may be included until they are removed
	Bytes       int64 // memory or disk space of the entries, with the overhead of the store
	MaxBytes    int64 // bound of Bytes; 0 without a bound
	Evictions   int64 // entries removed to keep within a bound
	Expirations int64 // entries removed because they had expired

	// State is that of a circuit breaker: "closed" (calls pass), "open" (calls fail at
	// once) or "half-open" (one call passes as a probe). It is empty without a breaker.
	State string
}

// UnknownStats are Stats without any known number.
var UnknownStats = Stats{Entries: -1, Bytes: -1, MaxBytes: -1, Evictions: -1, Expirations: -1}
